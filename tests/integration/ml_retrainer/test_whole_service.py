"""The service as it is started, with the worker that it starts: told to stop, killed outright, and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from job_house import JobHouse
from tracker.domain.job import JobKind
from tracker.runtime.settings import PROJECT_ROOT, environment

Process = subprocess.Popen[bytes]
PATIENCE_SECONDS = 60


class Starter:
    """Starts the service, and ends what is left in the end."""

    def __init__(self, url: str, configs: Path) -> None:
        self.started: list[Process] = []
        self._variables = {
            **environment(), "DATABASE_URL": url, "TRACKER_CONFIG_DIR": str(configs), "PORT": "0",
            "ML_RETRAINER_LEASE_SECONDS": "3", "POLL_SECONDS": "0.2", "LOG_LEVEL": "WARNING",
        }  # fmt: skip

    def start(self) -> Process:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.ml_retrainer"], env=self._variables, cwd=PROJECT_ROOT,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self.started.append(process)
        return process


@pytest.fixture
def starter(database_url: str, tmp_path: Path) -> Iterator[Starter]:
    for each in (PROJECT_ROOT / "configs").iterdir():
        (tmp_path / each.name).symlink_to(each)
    own = tmp_path / "ml_retrainer.toml"
    text = own.read_text()
    own.unlink()
    seldom = "{ every_minutes = 10_000_000 }"
    for often in ("{ every_minutes = 360 }", '{ daily_at = "01:10" }', "{ every_minutes = 60 }"):
        assert often in text
        text = text.replace(often, seldom)
    own.write_text(text.replace('["dca", "swing", "channel"]', '["dca", "swing"]'))
    found = Starter(database_url, tmp_path)
    yield found
    for each in found.started:
        if each.poll() is None:
            each.kill()
            each.wait()


async def until(house: JobHouse, query: str) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not await house.sql(query):
        assert time.monotonic() < give_up, await house.sql("SELECT * FROM tracker.job_runs")
        await asyncio.sleep(0.05)


def workers() -> list[psutil.Process]:
    return [
        each for each in psutil.process_iter(["cmdline", "environ"])
        if "services.ml_retrainer.worker" in (each.info["cmdline"] or [])
        and (each.info["environ"] or {}).get("DATABASE_URL") == os.environ.get("TEST_URL")
    ]  # fmt: skip


async def test_stopped_or_killed_in_the_middle_the_next_one_does_the_job(
    house: JobHouse, starter: Starter, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_URL", database_url)
    await house.quiet()
    await house.ask(JobKind.BUILD_LABELS)
    at_work = "SELECT FROM tracker.job_runs WHERE outcome IS NULL"

    first = starter.start()
    await until(house, at_work)
    first.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(first.wait, 25) == 0
    assert workers() == []
    assert await house.queue() == [("build_labels:dca", "queued", 0)]
    assert [run[3] for run in await house.runs()] == ["interrupted"]
    beats = await house.sql("SELECT status FROM tracker.service_heartbeats WHERE service = 'ml_retrainer'")
    assert beats == [{"status": "stopped"}]

    second = starter.start()
    await until(house, at_work)
    second.kill()
    second.wait()

    starter.start()
    await until(house, "SELECT FROM tracker.job_runs WHERE job_id > 0 AND outcome = 'done'")
    assert [run[2:4] for run in await house.runs()] == [(1, "interrupted"), (1, "lost"), (2, "done")]
    assert await house.queue() == []
    while workers():
        await asyncio.sleep(0.1)

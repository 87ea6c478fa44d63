"""The worker as a process: its end however it comes, its memory, its time, and what it leaves behind."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from job_house import RULES, JobHouse, rules
from tracker.domain.clock import SystemClock
from tracker.domain.job import JobKind, Work
from tracker.runtime.settings import PROJECT_ROOT

from services.ml_retrainer.process import (
    MEGABYTE,
    Assignment,
    Limits,
    WorkerFailedError,
    WorkerRefusedError,
    WorkerTooLargeError,
    WorkerTooSlowError,
    work_in_process,
)

MADE_UP = (sys.executable, str(Path(__file__).with_name("made_up_worker.py")))


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("MADE_UP_FILE", str(tmp_path / "pids"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(PROJECT_ROOT), str(PROJECT_ROOT / "libs"))))


def assigned(what: str, *, megabytes: int = 1024, seconds: float = 60) -> Assignment:
    work = Work(kind=JobKind.WATCH, strategy=what, reason="test")
    limits = Limits(memory_bytes=megabytes * MEGABYTE, seconds=seconds, end_seconds=5)
    return Assignment(work=work, lease="ml_retrainer", holder="nobody", limits=limits)


async def run(what: str, **limits: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    heard: list[dict[str, Any]] = []
    return await work_in_process(assigned(what, **limits), heard.append, MADE_UP), heard


async def test_it_tells_of_progress_of_its_memory_and_of_what_came_of_it() -> None:
    result, heard = await run("anything")
    assert result == {"kind": "watch"}
    assert {"event": "progress", "words": "begun"} in heard
    assert max(each.get("peak_bytes", 0) for each in heard) > 5 * MEGABYTE


async def test_however_it_ends_it_is_said_in_a_sentence() -> None:
    for what, error, words in (
        ("crashes", WorkerRefusedError, "ZeroDivisionError: by nothing"),
        ("dies", WorkerFailedError, "the worker ended with code -9"),
    ):
        with pytest.raises(error, match=words):
            await run(what)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what a process has asked for")
async def test_what_would_be_too_much_at_once_is_refused_to_it() -> None:
    with pytest.raises(WorkerTooLargeError, match=r"memory_limit_mb = 1024 of ml_retrainer\.toml"):
        await run("asks")


async def test_one_that_grows_beyond_its_memory_is_ended() -> None:
    with pytest.raises(WorkerTooLargeError, match=r"memory_limit_mb = 256 of ml_retrainer\.toml"):
        await run("grows", megabytes=256)


async def test_one_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    with pytest.raises(WorkerTooSlowError, match=r"after 0\.25 min"):
        await run("starts", seconds=15)
    await gone(tmp_path)


async def test_with_its_starter_gone_it_ends_with_all_that_it_started(tmp_path: Path) -> None:
    script = (
        f"import asyncio, sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from test_process import *;"
        "asyncio.run(run('starts'))"
    )
    starter = subprocess.Popen([sys.executable, "-c", script], cwd=PROJECT_ROOT, env=dict(os.environ))
    while not (tmp_path / "pids").exists():
        await asyncio.sleep(0.05)
    starter.kill()
    starter.wait()
    await gone(tmp_path)


async def gone(folder: Path) -> None:
    pids = [int(each) for each in (folder / "pids").read_text().split()]
    give_up = time.monotonic() + 20
    while any(_lives(pid) for pid in pids) and time.monotonic() < give_up:
        await asyncio.sleep(0.05)
    assert [pid for pid in pids if _lives(pid)] == []


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("how", ["told to stop", "killed"])
async def test_ended_in_the_middle_it_leaves_nothing_half_written_and_its_job_is_done_later(
    house: JobHouse, how: str
) -> None:
    found = rules(strategies=["writes"], schedule={**RULES["schedule"]})
    await house.quiet()
    await house.sql(
        "INSERT INTO tracker.job_runs (job_id, kind, strategy, reason, attempt, started_at, ended_at, outcome)"
        " SELECT 0, k, 'writes', 'before', 1, now(), now(), 'done'"
        " FROM unnest(ARRAY['build_labels', 'train', 'watch']) k"
    )
    await house.ask(strategy="writes")
    worker = functools.partial(work_in_process, command=MADE_UP)
    service = house.service(worker, SystemClock(), found)
    working = asyncio.create_task(service.run_once())
    while len(await house.sql("SELECT FROM tracker.trials")) < 10:
        await asyncio.sleep(0.05)
    if how == "told to stop":
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    else:
        [process] = [each for each in psutil.Process().children() if "made_up_worker" in " ".join(each.cmdline())]
        os.kill(process.pid, signal.SIGKILL)
        await working
    rows = await house.sql("SELECT split_part(config_hash, ' ', 1) AS n, count(*) AS c FROM tracker.trials GROUP BY 1")
    assert 5 <= len(rows) < 200
    assert {row["c"] for row in rows} == {2}
    assert (await house.queue())[0][1] == "queued"
    outcome = (await house.runs())[-1][3]
    assert outcome == ("interrupted" if how == "told to stop" else "retried")
    await house.sql("UPDATE tracker.pgqueuer SET execute_after = now() - interval '1 second'")
    while await service.run_once():
        pass
    assert len(await house.sql("SELECT FROM tracker.trials")) == 400
    assert (await house.runs())[-1][3] == "done"
    assert await house.queue() == []


async def test_a_worker_whose_lease_is_anothers_writes_nothing(house: JobHouse) -> None:
    with pytest.raises(WorkerFailedError, match="lease"):
        await run("writes")
    assert await house.sql("SELECT FROM tracker.trials") == []

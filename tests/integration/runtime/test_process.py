"""A real service process: its endpoints, its signals, its errors and its exit codes."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tracker.runtime.health import listening_socket
from tracker.runtime.settings import environment
from tracker.store.database import Database
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.migrate import migrate

SCRIPT = Path(__file__).with_name("tiny_service.py")
Open = Callable[[str | None], Awaitable[Database]]


@dataclass(slots=True)
class Running:
    """A started service."""

    process: asyncio.subprocess.Process
    port: int
    folder: Path

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", verify=False) as client:
            return await client.get(path)

    async def answers(self, path: str, status: int = 200) -> httpx.Response:
        """Ask until the answer has that status."""
        async with asyncio.timeout(20):
            while True:
                try:
                    answer = await self.get(path)
                    if answer.status_code == status:
                        return answer
                except httpx.TransportError:
                    assert self.process.returncode is None, await self.lines()
                await asyncio.sleep(0.05)

    async def appears(self, name: str) -> str:
        async with asyncio.timeout(20):
            while not (self.folder / name).exists():
                await asyncio.sleep(0.02)
        return (self.folder / name).read_text()

    async def ends(self) -> int:
        return await asyncio.wait_for(self.process.wait(), 20)

    async def lines(self) -> list[dict[str, Any]]:
        """Return the log; each line must be one JSON object."""
        assert self.process.stdout is not None
        return [json.loads(line) for line in (await self.process.stdout.read()).splitlines()]


Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    started: list[Running] = []

    async def launch(url: str | None, **settings: str) -> Running:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(settings.get("PORT", free.getsockname()[1]))
        chosen = {"PORT": str(port), "POLL_SECONDS": "0.1", "HEARTBEAT_SECONDS": "0.1", **settings}
        if url is not None:
            chosen["DATABASE_URL"] = url
        process = await asyncio.create_subprocess_exec(
            sys.executable, SCRIPT, tmp_path, env={**environment(), **chosen}, stdout=-1, stderr=-1
        )
        started.append(Running(process, port, tmp_path))
        return started[-1]

    yield launch
    for each in started:
        if each.process.returncode is None:
            each.process.kill()
            await each.process.wait()


async def beats(database: Database) -> dict[str, Any]:
    async with database.transaction() as transaction:
        return dict(await transaction.connection.fetchrow("SELECT * FROM tracker.service_heartbeats") or {})


async def test_it_answers_works_and_drains_on_sigterm(start: Start, database_url: str, open_database: Open) -> None:
    service = await start(database_url)
    assert (await service.answers("/livez")).json() == {"status": "pass", "service": "health_monitor"}
    assert (await service.answers("/readyz")).json()["reason"] is None
    await service.appears("ended")
    health = await service.answers("/health")
    assert health.headers["content-type"] == "application/health+json"
    assert health.json()["status"] == "pass"
    assert health.json()["detail"]["runs"] >= 1
    metrics = (await service.answers("/metrics")).text
    assert 'tracker_runs_total{outcome="ok",service="health_monitor"}' in metrics
    assert 'tracker_dependency_breaker_state{dependency="database"} 0.0' in metrics
    assert 'tracker_dependency_attempts_total{dependency="database",outcome="ok"}' in metrics
    database = await open_database(None)
    async with asyncio.timeout(10):
        while (await beats(database))["status"] != "pass":
            await asyncio.sleep(0.05)

    (service.folder / "begun").unlink()
    await service.appears("begun")
    (service.folder / "ended").unlink(missing_ok=True)
    service.process.send_signal(signal.SIGTERM)
    assert await service.ends() == 0
    # The run that was under way has come to its end.
    assert (service.folder / "ended").exists()
    assert (await beats(database))["status"] == "stopped"
    assert [line["action"] for line in await service.lines()] == ["service_started", "service_stopped"]


async def test_a_retryable_error_backs_off_and_goes_on(start: Start, database_url: str) -> None:
    service = await start(database_url)
    await service.appears("begun")
    (service.folder / "fault").write_text("retryable")
    failing = await service.answers("/health", 503)
    assert failing.json()["output"] == "gone for a moment"
    metrics = (await service.get("/metrics")).text
    assert 'tracker_dependency_attempts_total{dependency="database",outcome="DatabaseUnavailableError"} 1.0' in metrics
    assert 'tracker_dependency_wait_seconds_count{dependency="database"} 1.0' in metrics
    await service.answers("/health", 200)
    service.process.terminate()
    assert await service.ends() == 0
    actions = [line["action"] for line in await service.lines()]
    assert actions == ["service_started", "run_failed", "service_stopped"]


@pytest.mark.parametrize(
    ("fault", "code", "action"), [("fatal", 2, "service_failed"), ("defect", 1, "service_crashed")]
)
async def test_any_other_error_ends_it(start: Start, database_url: str, fault: str, code: int, action: str) -> None:
    service = await start(database_url)
    await service.appears("begun")
    (service.folder / "fault").write_text(fault)
    assert await service.ends() == code
    assert [line["action"] for line in await service.lines()] == ["service_started", action]
    assert service.process.stderr is not None
    assert await service.process.stderr.read() == (b"health_monitor: no such thing\n" if fault == "fatal" else b"")


async def test_it_lives_without_the_database_and_waits_for_it(start: Start) -> None:
    with tempfile.TemporaryDirectory(prefix="tracker-away-") as root:
        server = EmbeddedPostgres(Path(root) / "data", Path(root) / "run")
        service = await start(server.url)
        await service.answers("/livez")
        assert "not been reached" in (await service.answers("/readyz", 503)).json()["reason"]
        assert (await service.answers("/health", 503)).json()["checks"]["database"] == "fail"
        service.process.terminate()
        assert await service.ends() == 0


async def test_a_database_that_goes_away_and_comes_back(start: Start) -> None:
    with tempfile.TemporaryDirectory(prefix="tracker-away-") as root:
        server = EmbeddedPostgres(Path(root) / "data", Path(root) / "run")
        server.start()
        migrate(server.url)
        service = await start(server.url)
        await service.answers("/readyz")
        server.stop()
        assert (await service.answers("/readyz", 503)).json()["status"] == "fail"
        assert (await service.get("/livez")).status_code == 200
        assert (await service.get("/health")).status_code == 503
        server.start()
        await service.answers("/readyz")
        service.process.terminate()
        assert await service.ends() == 0
        server.stop()


async def test_an_occupied_port_is_one_sentence(start: Start, database_url: str) -> None:
    with listening_socket("other", "127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        before = time.monotonic()
        service = await start(database_url, PORT=str(port))
        assert await service.ends() == 2
    assert time.monotonic() - before < 10
    assert service.process.stderr is not None
    said = (await service.process.stderr.read()).decode()
    assert said == f"health_monitor: port {port} on 127.0.0.1 cannot be used: Address already in use\n"


async def test_a_missing_or_wrong_setting_is_one_sentence(start: Start, database_url: str) -> None:
    for url, settings, sentence in (
        (None, {}, "health_monitor: environment: DATABASE_URL is missing\n"),
        (database_url, {"POLL_SECONDS": "soon"}, "health_monitor: environment: POLL_SECONDS = 'soon': "),
    ):
        service = await start(url, **settings)
        assert await service.ends() == 2
        assert service.process.stderr is not None
        said = (await service.process.stderr.read()).decode()
        assert said.startswith(sentence)
        assert said.count("\n") == 1


async def test_an_orphan_ends_by_itself(database_url: str, tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        f"print(subprocess.Popen([sys.executable, {str(SCRIPT)!r}, {str(tmp_path)!r}], stdout=subprocess.DEVNULL).pid,"
        " flush=True)\ntime.sleep(60)\n"
    )
    settings = {"DATABASE_URL": database_url, "PORT": "0", "TRACKER_SUPERVISED": "1"}
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, env={**environment(), **settings}, stdout=-1
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    async with asyncio.timeout(20):
        while not (tmp_path / "ended").exists():
            await asyncio.sleep(0.05)
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(10):
        while Path(f"/proc/{child}/stat").exists() and " Z " not in Path(f"/proc/{child}/stat").read_text():
            await asyncio.sleep(0.05)

"""A fleet of the database alone: it comes up, comes back, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tracker.runtime.settings import environment

from services.control.fleet import load_fleet
from services.control.supervision import FleetRun


@pytest.fixture
def folder() -> Iterator[Path]:
    # Short, because the paths of sockets must be.
    with tempfile.TemporaryDirectory(prefix="tracker-run-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def run(folder: Path) -> Iterator[FleetRun]:
    made = fleet_run(folder)
    yield made
    made.stop()


def fleet_run(folder: Path, *services: str) -> FleetRun:
    without_database = {name: value for name, value in environment().items() if name != "DATABASE_URL"}
    return FleetRun(
        state_dir=folder / "state", runtime_dir=folder / "run", ports=free_ports(),
        environment=without_database, services=services,
    )


def free_ports() -> dict[str, int]:
    names = load_fleet().names
    held = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = dict(zip(names, (each.getsockname()[1] for each in held), strict=True))
    for each in held:
        each.close()
    return ports


def launcher(run: FleetRun) -> int:
    return next((each.pid for each in run.states() if each.name == "postgres" and each.pid), 0)


def server(run: FleetRun) -> int:
    assert run.postgres is not None
    return run.postgres.pid() or 0


def eventually(condition: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def answers(run: FleetRun) -> bool:
    return run.postgres is not None and run.postgres.is_running()


def test_a_killed_program_comes_back(run: FleetRun) -> None:
    run.start()
    for victim in (server, launcher):
        assert eventually(lambda: answers(run) and any(s.state == "running" for s in run.states()))
        old = victim(run)
        os.kill(old, signal.SIGKILL)
        assert eventually(lambda old=old, victim=victim: victim(run) not in (0, old) and answers(run)), victim


def test_a_killed_supervisor_leaves_nothing_and_the_next_start_works(run: FleetRun) -> None:
    run.start()
    before = [launcher(run), server(run)]
    os.kill(int((run.places.state_dir / "supervisord.pid").read_text()), signal.SIGKILL)
    assert eventually(lambda: not any(psutil.pid_exists(pid) for pid in before))
    assert run.states() == ()
    run.start()
    assert answers(run)
    assert launcher(run) not in before


def test_starting_again_changes_nothing_and_stopping_twice_is_fine(run: FleetRun) -> None:
    steps: list[str] = []
    run.start(steps.append)
    assert steps == ["starting the supervisor", "starting the database", "migrating the database"]
    old = (launcher(run), server(run))
    run.start()
    assert (launcher(run), server(run)) == old
    assert run.stop()
    assert not any(psutil.pid_exists(pid) for pid in old)
    assert not run.stop()


def test_two_fleets_do_not_touch_each_other(run: FleetRun) -> None:
    with tempfile.TemporaryDirectory(prefix="tracker-run-") as name:
        Path(name).chmod(0o711)
        other = fleet_run(Path(name))
        run.start()
        other.start()
        assert server(run) != server(other)
        assert other.stop()
    assert answers(run)


def test_a_service_starts_is_seen_and_drains(folder: Path) -> None:
    run = fleet_run(folder, "market_simulator")
    try:
        run.start()
        assert eventually(lambda: not run.unready())
        log = run.log_file("market_simulator")
        assert "service_started" in log.read_text()
    finally:
        run.stop()
    assert "service_stopped" in log.read_text()

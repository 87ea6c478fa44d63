"""The embedded Postgres starts, is found again, and outlives every way of being killed with its data whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import asyncpg
import psutil
import pytest
from tracker.domain.errors import DatabaseSetupError
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.embedded_account import Account, binaries, own_folder

IS_ROOT = os.geteuid() == 0


@dataclass(slots=True)
class Place:
    """Folders of one server, and its launcher once that runs."""

    root: Path
    launcher: subprocess.Popen[str] | None = None

    @property
    def data(self) -> Path:
        return self.root / "data of mine"

    @property
    def run(self) -> Path:
        return self.root / "run time"

    def fill(self, seed: Path) -> None:
        """Start from a made database: making one anew takes a second."""
        shutil.copytree(seed, self.data)
        for path in (self.data, *self.data.rglob("*")):
            os.chown(path, seed.stat().st_uid, seed.stat().st_gid)

    def server(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(self.data, self.run)

    def launch(self) -> EmbeddedPostgres:
        """Start `python -m tracker.store.embedded` and wait until the server answers."""
        command = [sys.executable, "-m", "tracker.store.embedded", "--data-dir", self.data, "--runtime-dir", self.run]
        self.launcher = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        server = self.server()
        until(lambda: server.is_running() or self.launcher is None or self.launcher.poll() is not None)
        assert self.launcher.poll() is None, self.launcher.communicate()[1]
        return server


@pytest.fixture
def place() -> Iterator[Place]:
    """A folder only its owner may enter, as the home of root is."""
    with tempfile.TemporaryDirectory(prefix="tracker-place-") as root:
        made = Place(Path(root))
        yield made
        if made.launcher is not None:
            made.launcher.kill()
            made.launcher.communicate()
        made.server().stop()


@pytest.fixture(scope="module")
def seed() -> Iterator[Path]:
    """The data folder of a server that was stopped."""
    with tempfile.TemporaryDirectory(prefix="tracker-seed-") as root:
        with EmbeddedPostgres(Path(root) / "data", Path(root) / "run") as server:
            pass
        yield server.data_dir


@pytest.fixture
def filled(place: Place, seed: Path) -> Place:
    """A place with a database in it, whose server does not run."""
    place.fill(seed)
    return place


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def value(server: EmbeddedPostgres, query: str) -> object:
    connection = await asyncpg.connect(server.url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_it_starts_quickly_and_is_found_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    # What the user set for another server must not lead astray.
    monkeypatch.setenv("PGPORT", "6000")
    before = time.monotonic()
    first = place.server()
    first.start()
    seconds = time.monotonic() - before
    print(f"first start: {seconds:.2f} s")
    assert seconds < 10
    pid = first.pid()
    assert pid is not None
    assert psutil.Process(pid).uids().real != 0
    assert await value(first, "SHOW fsync") == "on"
    assert await value(first, "SHOW listen_addresses") == ""
    await value(first, "CREATE TABLE kept AS SELECT 7 AS number")

    other = place.server()
    other.start()
    assert other.pid() == pid
    with pytest.raises(DatabaseSetupError, match="started by another process"):
        other.wait()
    other.stop()
    assert not first.is_running()

    before = time.monotonic()
    with place.server() as again:
        print(f"second start: {time.monotonic() - before:.2f} s")
        assert await value(again, "SELECT number FROM kept") == 7


async def test_killed_launcher_takes_the_server_along_and_nothing_is_lost(filled: Place) -> None:
    server = filled.launch()
    assert filled.launcher is not None
    await value(server, "CREATE TABLE kept AS SELECT 7 AS number")
    pid = server.pid()
    assert pid is not None
    filled.launcher.kill()
    filled.launcher.wait()
    # At once, while the old server may still be shutting down.
    with filled.server() as again:
        assert again.pid() != pid
        assert await value(again, "SELECT number FROM kept") == 7

    server = filled.launch()
    filled.launcher.kill()
    filled.launcher.wait()
    until(lambda: server.pid() is None)


async def test_killed_server_ends_its_launcher_and_recovers(filled: Place) -> None:
    server = filled.launch()
    assert filled.launcher is not None
    await value(server, "CREATE TABLE kept AS SELECT 7 AS number")
    busy = await asyncpg.connect(server.url)
    pid = server.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert filled.launcher.wait(10) == 1
    busy.terminate()
    server = filled.launch()
    assert await value(server, "SELECT number FROM kept") == 7
    assert filled.launcher is not None
    filled.launcher.terminate()
    assert filled.launcher.wait(10) == 0
    assert server.pid() is None


async def test_a_pid_file_that_names_another_process_is_no_server(filled: Place, postgres: EmbeddedPostgres) -> None:
    with filled.server() as server:
        pid_file = (server.data_dir / "postmaster.pid").read_text().splitlines()
    for foreign in (os.getpid(), postgres.pid()):
        stale = server.data_dir / "postmaster.pid"
        stale.write_text("\n".join([str(foreign), *pid_file[1:]]) + "\n")
        stale.chmod(0o600)
        assert not server.is_running()
        server.start()
        assert server.pid() not in (None, foreign)
        server.stop()
    assert postgres.is_running()
    (server.data_dir / "postmaster.pid").write_text("garbage\n")
    assert server.pid() is None


def test_a_runtime_folder_belongs_to_one_server(filled: Place) -> None:
    with filled.server() as first:
        second = EmbeddedPostgres(filled.root / "another", filled.run)
        with pytest.raises(DatabaseSetupError, match=r"is used by another Postgres \(process \d+\)"):
            second.start()
        assert first.is_running()


def test_a_data_folder_with_something_else_in_it_is_left_alone(place: Place) -> None:
    place.data.mkdir()
    (place.data / "letter.txt").write_text("dear")
    with pytest.raises(DatabaseSetupError, match="holds something other than a database"):
        place.server().start()
    assert [path.name for path in place.data.iterdir()] == ["letter.txt"]


def test_too_long_a_runtime_folder_is_one_sentence(place: Place) -> None:
    if IS_ROOT:
        # Root's server keeps its socket elsewhere where the folder is closed to the account.
        place.root.chmod(0o755)
    with pytest.raises(DatabaseSetupError, match="is too long a path for a socket"):
        EmbeddedPostgres(place.data, place.root / ("long" * 30))
    done = subprocess.run(
        [sys.executable, "-m", "tracker.store.embedded", "--data-dir", "d", "--runtime-dir", "/" + "long" * 30],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("postgres: runtime folder")
    assert done.stderr.count("\n") == 1


def test_a_link_in_the_place_of_a_folder_is_refused(place: Place) -> None:
    (place.root / "elsewhere").mkdir()
    (place.root / "socket").symlink_to(place.root / "elsewhere")
    with pytest.raises(DatabaseSetupError, match="is a link"):
        own_folder(place.root / "socket", None)


@pytest.mark.skipif(not IS_ROOT, reason="only root can become somebody else")
def test_a_normal_user_runs_it_in_a_folder_of_their_own() -> None:
    daemon = Account("daemon")
    if not daemon.reaches(binaries() / "bin" / "psql"):
        pytest.skip("the checkout is closed to other users")
    with tempfile.TemporaryDirectory(prefix="tracker-user-") as root:
        os.chown(root, daemon.uid, daemon.gid)
        with ProcessPoolExecutor(1, get_context("fork"), initializer=become, initargs=(daemon,)) as pool:
            assert pool.submit(run_in, Path(root), "data").result() == (daemon.uid, "run", True)
            # Where another account's server lives, a user is told so.
            with EmbeddedPostgres(Path(root) / "roots", Path(root) / "run2"):
                with pytest.raises(DatabaseSetupError, match="roots cannot be used: Operation not permitted"):
                    pool.submit(run_in, Path(root), "roots").result()


def become(account: Account) -> None:
    os.chdir("/")
    os.setgroups([])
    os.setgid(account.gid)
    os.setuid(account.uid)


def run_in(root: Path, data: str) -> tuple[int, str, bool]:
    """Run a server and return its user, where its socket is, and whether it answers."""
    with EmbeddedPostgres(root / data, root / "run") as server:
        return psutil.Process(server.pid()).uids().real, server.socket_dir.parent.name, server.is_running()

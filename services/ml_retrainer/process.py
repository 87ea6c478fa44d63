"""The worker: a process of its own, held to its memory and its time, and gone when it is not wanted any more."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
import psutil
from tracker.domain.errors import TrackerError
from tracker.domain.job import Work
from tracker.runtime.settings import environment

WORKER = (sys.executable, "-m", "services.ml_retrainer.worker")
LOOK_SECONDS = 0.5
MEGABYTE = 1024 * 1024

Event = dict[str, Any]
Hear = Callable[[Event], None]


class WorkerFailedError(TrackerError):
    """The worker ended without having done its work; it is tried again."""

    retryable = True


class WorkerTooSlowError(TrackerError):
    """The worker took longer than it may; it is tried again."""

    retryable = True


class WorkerRefusedError(TrackerError):
    """The worker cannot work with what it is given."""


class WorkerTooLargeError(TrackerError):
    """The worker took more memory than it may; another try would, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a worker may take; `end_seconds`: how long it may go on after it was told to end."""

    memory_bytes: int
    seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Work, and the lease under which it is done."""

    work: Work
    lease: str
    holder: str
    limits: Limits

    @property
    def arguments(self) -> Sequence[str]:
        """As the worker is told."""
        return (
            "--kind", self.work.kind.value, "--strategy", self.work.strategy, "--reason", self.work.reason,
            "--lease", self.lease, "--holder", self.holder, "--memory-bytes", str(self.limits.memory_bytes),
        )  # fmt: skip


class Worker(Protocol):
    """Does what it is assigned, tells of it, and returns what came of it; raises TrackerError."""

    def __call__(self, assignment: Assignment, hear: Hear) -> Awaitable[Event]:
        """Work to the end; cancelled, it stops at once and what was not committed is undone."""
        ...


async def work_in_process(assignment: Assignment, hear: Hear, command: Sequence[str] = WORKER) -> Event:
    """Work in a process of its own; `hear` is told of progress and of the most memory it took so far."""
    process = await asyncio.create_subprocess_exec(
        *command, *assignment.arguments,
        stdout=asyncio.subprocess.PIPE, env=environment(), start_new_session=True,
    )  # fmt: skip
    limits = assignment.limits
    listening = asyncio.create_task(_listen(process, hear))
    watching = asyncio.create_task(_watch_memory(process.pid, limits.memory_bytes, hear))
    try:
        done, _ = await asyncio.wait(
            {listening, watching}, timeout=limits.seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if watching in done:
            watching.result()
        if listening not in done:
            raise WorkerTooSlowError(f"the worker was ended after {limits.seconds / 60:g} min")
        return listening.result()
    finally:
        for task in (listening, watching):
            task.cancel()
        await _end(process, limits.end_seconds)
        await asyncio.gather(listening, watching, return_exceptions=True)


async def _listen(process: asyncio.subprocess.Process, hear: Hear) -> Event:
    """Return the result that the worker tells; raises what it says of its failure."""
    last: Event | None = None
    assert process.stdout is not None  # noqa: S101 - asked for above
    async for line in process.stdout:
        event: Event = orjson.loads(line)
        if event["event"] in ("done", "failed"):
            last = event
        else:
            hear(event)
    code = await process.wait()
    if last is None:
        raise WorkerFailedError(f"the worker ended with code {code}")
    if last["event"] == "done":
        return last["result"]
    if last.get("memory"):
        raise WorkerTooLargeError(last["error"])
    raise (WorkerFailedError if last["retryable"] else WorkerRefusedError)(last["error"])


async def _watch_memory(pid: int, most: int, hear: Hear) -> None:
    """Raise WorkerTooLargeError once the worker and what it started take more than `most` bytes."""
    peak = 0
    while True:
        now = _resident_bytes(pid)
        if now > peak:
            peak = now
            hear({"event": "memory", "peak_bytes": peak})
        if now > most:
            raise WorkerTooLargeError(
                f"the worker took {now / MEGABYTE:.0f} MB, more than memory_limit_mb = {most // MEGABYTE}"
                " of ml_retrainer.toml"
            )
        await asyncio.sleep(LOOK_SECONDS)


def _resident_bytes(pid: int) -> int:
    try:
        worker = psutil.Process(pid)
        family = [worker, *worker.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for each in family:
        # One that has ended meanwhile takes nothing.
        with contextlib.suppress(psutil.Error):
            total += each.memory_info().rss
    return total


async def _end(process: asyncio.subprocess.Process, patience: float) -> None:
    """End a worker and all that it started, politely first."""
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, patience)):
        if process.returncode is None or number is signal.SIGKILL:
            # What it started is in its session, and may outlive it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
        if process.returncode is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), seconds)

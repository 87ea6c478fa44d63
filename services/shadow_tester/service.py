"""The small process that stays: holds the lease, sees what is due, and starts a worker for it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import orjson
from prometheus_client import Counter, Gauge
from tracker.domain.clock import Clock
from tracker.domain.errors import TrackerError
from tracker.runtime.leadership import Leadership
from tracker.runtime.lease import Lease, holder_name, while_kept
from tracker.runtime.logging import Logger
from tracker.runtime.settings import environment
from tracker.store.database import Database
from tracker.store.shadow import Behind, read_behind, read_scanned

from services.shadow_tester.settings import ShadowTesterSettings

LEASE = "shadow_tester"
WORKER = "services.shadow_tester.worker"
END_SECONDS = 5.0
CLOSES = Counter("tracker_shadow_closes_total", "Closes tried in the shadow", ["strategy"])
TRADES = Counter("tracker_shadow_trades_total", "Trades that ended in the shadow", ["strategy"])
BEHIND = Gauge("tracker_shadow_closes_behind", "Closes that wait to be tried", ["strategy"])
SECONDS = Gauge("tracker_shadow_seconds", "Duration of the last run's parts", ["part"])

Event = dict[str, Any]
Hear = Callable[[Event], None]


class WorkerFailedError(TrackerError):
    """The worker ended without having done its work; it is started again."""

    retryable = True


class WorkerRefusedError(TrackerError):
    """The worker cannot work with what it is given."""


class Work(Protocol):
    """Does what is due under a lease and tells of each run; raises TrackerError."""

    def __call__(self, lease: str, holder: str, hear: Hear) -> Awaitable[None]:
        """Work until nothing is due; cancelled, it stops at once and what was not committed is undone."""
        ...


def build(settings: ShadowTesterSettings, database: Database, clock: Clock, log: Logger) -> ShadowService:
    """Make the service with a worker process of its own."""
    return ShadowService(database, settings, clock, log, work_in_process)


class ShadowService:
    """The service; what it knows between runs is for /health only."""

    name = "shadow_tester"
    # A close is looked for every second: listening would cost a connection, and 15 minutes are long.
    channels: tuple[str, ...] = ()
    # The worker's transactions stand by themselves.
    interruptible = True

    def __init__(
        self, database: Database, settings: ShadowTesterSettings, clock: Clock, log: Logger, work: Work
    ) -> None:
        """Stand by until the lease is had."""
        self._database = database
        self._log = log
        self._lease = Lease(database, LEASE, self.name, holder_name(), settings.lease_seconds, clock)
        self._leadership = Leadership(self._lease, settings.lease_seconds, log)
        self._work = work
        self._began: frozenset[str] = frozenset()
        self._behind: list[Behind] = []
        self._last: Event = {}
        self._seconds: dict[str, float] = {}

    def detail(self) -> dict[str, Any]:
        """Return what is shown in /health: how many variations, how far behind, and how long the last run took."""
        one_by_one = self._last.get("one_by_one", [])
        detail: dict[str, Any] = {
            **self._leadership.detail(),
            "variations": self._last.get("variations", {}),
            "closes_behind": {each.strategy: each.closes for each in self._behind},
            "closed_through": {each.strategy: each.closed_through.isoformat() for each in self._behind},
            "last_seconds": self._seconds,
            "one_by_one": one_by_one,
        }
        troubles = list(self._last.get("troubles", []))
        if one_by_one:
            troubles.append(f"tried one variation at a time, which is slow: {', '.join(one_by_one)}")
        if troubles:
            detail["trouble"] = "; ".join(troubles)
        return detail

    async def run_once(self) -> bool:
        """Have what is due done by a worker; return whether there may be more at once."""
        if not await self._leadership.lead():
            return False
        scanned = await self._look()
        # With strategies that are scanned for the first time nobody has made a beginning yet.
        if not any(each.closes for each in self._behind) and scanned <= self._began:
            return False
        await self._while_held()
        self._began |= scanned
        await self._look()
        return False

    async def background(self, wake: asyncio.Event) -> None:
        """Give the lease back when the service ends, so that nobody need wait for its time to pass."""
        del wake
        await self._leadership.give_back_at_end()

    async def _look(self) -> frozenset[str]:
        """Read what waits; return the strategies that are scanned."""
        async with self._database.transaction() as transaction:
            self._behind = await read_behind(transaction)
            scanned = await read_scanned(transaction)
        for each in self._behind:
            BEHIND.labels(each.strategy).set(each.closes)
        return scanned

    async def _while_held(self) -> None:
        """Let the worker work while the lease is renewed; where it is lost, the worker ends."""
        await while_kept(self._work(LEASE, self._lease.holder, self._hear), self._lease.keep())

    def _hear(self, event: Event) -> None:
        self._last = event
        strategy = event.get("strategy")
        if strategy is None:
            return
        self._seconds = {**event["seconds"], "all": round(sum(event["seconds"].values()), 4)}
        CLOSES.labels(strategy).inc(event["closes"])
        TRADES.labels(strategy).inc(event["trades"])
        for part, seconds in self._seconds.items():
            SECONDS.labels(part).set(seconds)


async def work_in_process(lease: str, holder: str, hear: Hear) -> None:
    """Work in a process of its own, which brings NumPy and numba along and takes them with it when it ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", WORKER, "--lease", lease, "--holder", holder,
        stdout=asyncio.subprocess.PIPE, env=environment(),
    )  # fmt: skip
    failure: Event | None = None
    try:
        assert process.stdout is not None  # noqa: S101 - asked for above
        async for line in process.stdout:
            event: Event = orjson.loads(line)
            if event.pop("event") == "failed":
                failure = event
            else:
                hear(event)
        code = await process.wait()
    finally:
        await _end(process)
    if failure is not None and not failure["retryable"]:
        raise WorkerRefusedError(failure["error"])
    if code != 0:
        raise WorkerFailedError(f"the worker ended with code {code}" if failure is None else failure["error"])


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await asyncio.wait_for(process.wait(), END_SECONDS)

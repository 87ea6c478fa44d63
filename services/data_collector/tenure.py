"""Which of several collectors has the vendor's one connection, and what the others do meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import Counter, Gauge
from tracker.domain.clock import Clock
from tracker.domain.errors import LeaseLostError, TrackerError
from tracker.runtime.lease import Lease, holder_name
from tracker.runtime.logging import Logger
from tracker.store.database import Database
from tracker.store.fence import Fence
from tracker.store.leases import LeaseRow

from services.data_collector.settings import CollectorSettings

HOLDS = Gauge("tracker_lease_held", "1 while this process holds the connection's lease", ["lease"])
ENDED = Counter("tracker_lease_terms_total", "Terms of the connection's lease that ended", ["lease", "reason"])
# A standby asks this often at least; the row's end is known, but not an early release.
LOOK_SECONDS = 1.0
RELEASE_SECONDS = 2.0


class Tenure:
    """Streams while it holds the lease, stands by while another does."""

    def __init__(
        self, database: Database, vendor: str, settings: CollectorSettings, clock: Clock, log: Logger
    ) -> None:
        """Nothing is asked of the database before `serve`."""
        self.name = f"feed:{vendor}"
        self._database = database
        self._settings = settings
        self._clock = clock
        self._log = log
        self._lease: Lease | None = None
        self._other: LeaseRow | None = None
        self._problem: str | None = None

    @property
    def fence(self) -> Fence | None:
        """What every write of bars commits with, None while another holds the lease or nobody does."""
        return None if self._lease is None else self._lease.fence

    def detail(self) -> dict[str, Any]:
        """Return what /health shows."""
        mine = self.fence
        holder = mine.holder if mine is not None else None if self._other is None else self._other.holder
        return {"role": "standby" if mine is None else "holder", "lease": {"name": self.name, "holder": holder}}

    @property
    def problem(self) -> str | None:
        """Why it cannot be known who holds the lease, None where it is known."""
        return self._problem

    async def serve(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `work` in every term of the lease until cancelled; what `work` raises ends it, and the lease is free."""
        # A renewal must not wait behind the bars' transactions.
        database = await self._database.beside(1)
        lease = self._lease = Lease(
            database, self.name, "data_collector", holder_name(), self._settings.lease_ttl_seconds, self._clock,
            self._settings.lease_renew_seconds,
        )
        try:
            while True:
                await self._stand_by(lease)
                await self._hold(lease, work)
        finally:
            HOLDS.labels(self.name).set(0)
            await database.close()

    async def _stand_by(self, lease: Lease) -> None:
        pause = min(LOOK_SECONDS, self._settings.lease_renew_seconds)
        while True:
            try:
                row = await lease.read()
                if (row is None or not row.valid) and await lease.acquire():
                    self._other, self._problem = None, None
                    return
                self._saw(row)
            except TrackerError as error:
                if not error.retryable:
                    raise
                self._doubt(str(error))
            await asyncio.sleep(pause)

    def _saw(self, row: LeaseRow | None) -> None:
        if row is not None and (self._other is None or row.holder != self._other.holder):
            self._log.info(
                "another collector has the connection; standing by",
                action="lease_standby", lease=self.name, holder=row.holder,
            )
        self._other, self._problem = row, None

    def _doubt(self, reason: str) -> None:
        if self._problem is None:
            self._log.error(
                "the lease on the connection cannot be taken", action="lease_unknown", lease=self.name, error=reason
            )
        self._problem = reason

    async def _hold(self, lease: Lease, work: Callable[[], Awaitable[None]]) -> None:
        self._log.info("the connection is ours", action="lease_acquired", lease=self.name, holder=lease.holder)
        HOLDS.labels(self.name).set(1)
        tasks = {asyncio.ensure_future(lease.keep()), asyncio.ensure_future(work())}
        reason = "ended"
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        except LeaseLostError as error:
            reason = "lost"
            self._log.error("the connection is given up", action="lease_lost", lease=self.name, error=str(error))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            HOLDS.labels(self.name).set(0)
            ENDED.labels(self.name, reason).inc()
            await self._give_back(lease)

    async def _give_back(self, lease: Lease) -> None:
        """Let a standby go on at once; where that cannot be said, it goes on when the lease has ended."""
        if not lease.held:
            return
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await lease.release()
        except (TrackerError, TimeoutError) as error:
            self._log.warning(
                "the lease could not be given back", action="lease_kept", lease=self.name, error=str(error)
            )

"""Which of several replicas acts between one run and the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tracker.runtime.lease import Lease
from tracker.runtime.logging import Logger

# Of the lease's time: with less left it is renewed before the next run.
RENEW_BELOW = 0.5


class Leadership:
    """One lease, taken or kept before each run; a change of the role is logged.

    `taken_over` runs each time the lease is had anew, before anything else is done under it.
    """

    def __init__(
        self,
        lease: Lease,
        lease_seconds: float,
        log: Logger,
        taken_over: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Stand by until the lease is had."""
        self.lease = lease
        self._renew_below = RENEW_BELOW * lease_seconds
        self._log = log
        self._taken_over = taken_over
        self._active = False
        self._holder: str | None = None

    def detail(self) -> dict[str, Any]:
        """Return what /health shows: who acts."""
        return {"role": "active" if self._active else "standby", "lease_holder": self._holder}

    async def lead(self) -> bool:
        """Take or keep the lease; tells whether this replica acts."""
        if self._active and self.lease.seconds_left > self._renew_below:
            return True
        had = await self.lease.acquire()
        row = await self.lease.read()
        self._holder = None if row is None else row.holder
        if had and not self._active and self._taken_over is not None:
            await self._taken_over()
        if had != self._active:
            self._active = had
            self._log.info("the role changed", action="role_changed", **self.detail())
        return had

    def stand_by(self) -> None:
        """Act no more until the lease is had again; what another left behind is looked at then."""
        self._active = False

    async def give_back_at_end(self) -> None:
        """Wait to be cancelled, then give the lease back, so that nobody need wait for its time to pass."""
        try:
            await asyncio.Event().wait()
        finally:
            await self.lease.release()

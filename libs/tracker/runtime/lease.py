"""A lease on being the only one that does something, held in the database and lost in time."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from datetime import timedelta

from tracker.domain.clock import Clock
from tracker.domain.errors import DatabaseUnavailableError, LeaseLostError
from tracker.store.database import Database, Transaction
from tracker.store.leases import acquire_lease, confirm_lease, release_lease, renew_lease

# Of the lease's time: renewed after a third, and given up with a fifth left in which to stop what goes on.
RENEW_AFTER = 1 / 3
STOP_BEFORE_END = 1 / 5
RETRY_SECONDS = 0.25


class Lease:
    """One name in `service_leases`, for one holder at a time.

    The row is compared and set by the database's clock, in short transactions, so that it works behind a transaction
    pooler. `held` counts on this machine's monotonic clock from before a request was sent, and so ends before the row.
    """

    def __init__(
        self, database: Database, name: str, service: str, holder: str, ttl_seconds: float, clock: Clock
    ) -> None:
        """Nothing is asked of the database yet; `service` must be that of the database's role."""
        self.name = name
        self.holder = holder
        self._database = database
        self._service = service
        self._ttl = timedelta(seconds=ttl_seconds)
        self._clock = clock
        self._until: float | None = None

    @property
    def held(self) -> bool:
        """Tell whether one may act: the lease is had and is not about to end."""
        return self.seconds_left > 0

    @property
    def seconds_left(self) -> float:
        """How long one may still act without another renewal; 0 where the lease is not held."""
        return 0.0 if self._until is None else max(0.0, self._until - self._clock.monotonic())

    async def acquire(self) -> bool:
        """Take the lease where it is free; raises DatabaseUnavailableError where that cannot be known."""
        asked = self._clock.monotonic()
        async with self._database.transaction() as transaction:
            had = await acquire_lease(transaction, self.name, self._service, self.holder, self._ttl)
            await transaction.commit()
        return self._note(had, asked)

    async def renew(self) -> bool:
        """Prolong the lease; False where another has it. Raises DatabaseUnavailableError, and `held` runs on."""
        asked = self._clock.monotonic()
        async with self._database.transaction() as transaction:
            had = await renew_lease(transaction, self.name, self.holder, self._ttl)
            await transaction.commit()
        return self._note(had, asked)

    async def release(self) -> None:
        """Give the lease back; it counts as lost from the call on, even where the database is away."""
        self._until = None
        async with self._database.transaction() as transaction:
            await release_lease(transaction, self.name, self.holder)
            await transaction.commit()

    async def confirm(self, transaction: Transaction) -> None:
        """Raise LeaseLostError unless the lease is held; within this transaction nobody can take it over then."""
        if not await confirm_lease(transaction, self.name, self.holder):
            self._until = None
            raise LeaseLostError(f"the lease {self.name} is no longer held by {self.holder}")

    async def keep(self) -> None:
        """Renew in time for as long as it works; raises LeaseLostError while there is still time to stop."""
        while self.held:
            await asyncio.sleep(min(self._ttl.total_seconds() * RENEW_AFTER, self.seconds_left))
            await self._renew_in_time()
        raise LeaseLostError(f"the lease {self.name} could not be renewed by {self.holder}")

    async def _renew_in_time(self) -> None:
        """Renew, again and again where the database is away, but never beyond the time that is left."""
        while self.held:
            try:
                async with asyncio.timeout(self.seconds_left):
                    await self.renew()
                return
            except TimeoutError:
                return
            except DatabaseUnavailableError:
                await asyncio.sleep(min(RETRY_SECONDS, self.seconds_left))

    def _note(self, had: bool, asked: float) -> bool:
        self._until = asked + self._ttl.total_seconds() * (1 - STOP_BEFORE_END) if had else None
        return had


def holder_name() -> str:
    """Return a name for this process that no other ever has."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"

"""A lease on being the only one that does something, held in the database and lost in time."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

from tracker.domain.clock import Clock
from tracker.domain.errors import DatabaseUnavailableError, LeaseLostError
from tracker.store.database import Database, Transaction
from tracker.store.fence import Fence
from tracker.store.leases import (
    LeaseRow,
    acquire_lease,
    confirm_lease,
    read_lease,
    release_lease,
    renew_lease,
)

RENEWALS = 4
RETRY_SECONDS = 0.25
T = TypeVar("T")


class Lease:
    """One name in `service_leases`, for one holder at a time.

    The row is compared and set by the database's clock, in short transactions, so that it works behind a transaction
    pooler. `held` counts on this machine's monotonic clock from before a request was sent, and ends one renewal's
    time before the row does: in that time the holder stops.
    """

    def __init__(
        self,
        database: Database,
        name: str,
        service: str,
        holder: str,
        ttl_seconds: float,
        clock: Clock,
        renew_seconds: float | None = None,
    ) -> None:
        """Nothing is asked of the database yet; `service` must be that of the database's role."""
        self.name = name
        self._database = database
        self._service = service
        self._process = holder
        self._term = 1
        self._ttl = ttl_seconds
        self._renew_seconds = renew_seconds or ttl_seconds / RENEWALS
        self._clock = clock
        self._until: float | None = None

    @property
    def holder(self) -> str:
        """The name in the row: the process and its term, which a lost lease ends."""
        return f"{self._process}#{self._term}"

    @property
    def held(self) -> bool:
        """Tell whether one may act: the lease is had and is not about to end."""
        return self.seconds_left > 0

    @property
    def seconds_left(self) -> float:
        """How long one may still act without another renewal; 0 where the lease is not held."""
        return 0.0 if self._until is None else max(0.0, self._until - self._clock.monotonic())

    @property
    def fence(self) -> Fence | None:
        """What a transaction of this term commits with, None where the lease is not held."""
        return Fence(self.name, self.holder) if self.held else None

    async def read(self) -> LeaseRow | None:
        """Return who holds the lease, None where nobody does."""
        async with self._database.transaction() as transaction:
            return await read_lease(transaction, self.name)

    async def acquire(self) -> bool:
        """Take the lease where it is free; raises DatabaseUnavailableError where that cannot be known."""
        asked = self._clock.monotonic()
        async with self._database.transaction() as transaction:
            had = await acquire_lease(transaction, self.name, self._service, self.holder, self._lifetime)
            await transaction.commit()
        return self._note(had, asked)

    async def renew(self) -> bool:
        """Prolong the lease; False where another has it. Raises DatabaseUnavailableError, and `held` runs on."""
        asked = self._clock.monotonic()
        async with self._database.transaction() as transaction:
            had = await renew_lease(transaction, self.name, self.holder, self._lifetime)
            await transaction.commit()
        return self._note(had, asked)

    async def release(self) -> None:
        """Give the lease back; it counts as lost from the call on, even where the database is away."""
        holder = self.holder
        self._lose()
        async with self._database.transaction() as transaction:
            await release_lease(transaction, self.name, holder)
            await transaction.commit()

    async def confirm(self, transaction: Transaction) -> None:
        """Raise LeaseLostError unless the lease is held; within this transaction nobody can take it over then."""
        if not await confirm_lease(transaction, self.name, self.holder):
            holder = self.holder
            self._lose()
            raise LeaseLostError(f"the lease {self.name} is no longer held by {holder}")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction that commits at its end; raises LeaseLostError where the lease is not held then."""
        fence = self.fence
        if fence is None:
            raise LeaseLostError(f"the lease {self.name} was lost")
        async with self._database.transaction() as transaction:
            yield transaction
            await transaction.commit(fence)

    async def keep(self) -> None:
        """Renew in time for as long as it works; raises LeaseLostError while there is still time to stop."""
        failure: DatabaseUnavailableError | None = None
        while self.held:
            await asyncio.sleep(min(self._renew_seconds, self.seconds_left))
            failure = await self._renew_in_time()
        reason = "another has it" if failure is None else str(failure)
        self._lose()
        raise LeaseLostError(f"the lease {self.name} could not be renewed: {reason}")

    async def _renew_in_time(self) -> DatabaseUnavailableError | None:
        """Renew, again and again where the database is away, but never beyond the time that is left."""
        failure: DatabaseUnavailableError | None = None
        while self.held:
            try:
                async with asyncio.timeout(self.seconds_left):
                    await self.renew()
                return None
            except TimeoutError:
                return failure or DatabaseUnavailableError("the database did not answer in time")
            except DatabaseUnavailableError as error:
                failure = error
                await asyncio.sleep(min(RETRY_SECONDS, self.seconds_left))
        return failure

    @property
    def _lifetime(self) -> timedelta:
        return timedelta(seconds=self._ttl)

    def _note(self, had: bool, asked: float) -> bool:
        if had:
            self._until = asked + self._ttl - self._renew_seconds
        else:
            self._lose()
        return had

    def _lose(self) -> None:
        """End a term: what was begun in it can never commit, not even when the lease is had again."""
        if self._until is not None:
            self._until = None
            self._term += 1


async def while_kept(work: Awaitable[T], *keepers: Coroutine[Any, Any, None]) -> T:
    """Return what `work` does while the keepers, which end only by raising, go on; where one raises, work is ended."""
    worker = asyncio.ensure_future(work)
    keeping = [asyncio.create_task(each) for each in keepers]
    try:
        await asyncio.wait([worker, *keeping], return_when=asyncio.FIRST_COMPLETED)
        for keeper in keeping:
            if keeper.done() and not worker.done():
                keeper.result()
        return await worker
    finally:
        for task in (worker, *keeping):
            task.cancel()
        await asyncio.gather(worker, *keeping, return_exceptions=True)


def holder_name() -> str:
    """Return a name for this process that no other ever has."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"

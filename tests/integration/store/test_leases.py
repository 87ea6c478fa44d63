"""A lease on a real database: one holder, lost in time, and no commit after it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from tracker.domain.clock import SystemClock
from tracker.domain.errors import LeaseLostError, SchemaError
from tracker.runtime.lease import Lease
from tracker.store.database import Database
from tracker.store.fence import Fence

Open = Callable[[str | None], Awaitable[Database]]
NAME = "feed:test"


class Steered:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.ahead = 0.0

    now = SystemClock().now

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


def lease_of(database: Database, holder: str, ttl: float = 60.0, clock: Steered | None = None) -> Lease:
    return Lease(database, NAME, "data_collector", holder, ttl, clock or Steered())


@pytest.fixture
async def database(open_database: Open) -> Database:
    return await open_database("data_collector")


async def age(database: Database, seconds: float) -> None:
    """Make the lease's row that much older."""
    async with database.transaction() as transaction:
        await transaction.connection.execute(
            "UPDATE tracker.service_leases SET expires_at = expires_at - make_interval(secs => $1)", seconds
        )
        await transaction.commit()


async def test_one_holds_it_and_another_gets_it_only_when_it_has_ended(database: Database) -> None:
    one, two = lease_of(database, "one"), lease_of(database, "two")
    assert await one.acquire()
    assert one.held
    assert not await two.acquire()
    assert not two.held
    row = await two.read()
    assert row is not None
    assert (row.holder, row.service, row.valid) == ("one#1", "data_collector", True)
    await age(database, 61)
    assert await two.acquire()
    assert not await one.renew()
    assert not one.held
    assert await two.renew()


async def test_given_back_it_is_free_at_once_and_a_new_term_has_a_new_name(database: Database) -> None:
    one, two = lease_of(database, "one"), lease_of(database, "two")
    assert await one.acquire()
    await one.release()
    assert not one.held
    assert await two.acquire()
    await two.release()
    assert await one.acquire()
    assert one.holder == "one#2"
    await two.release()
    assert await one.renew()


async def test_acquiring_again_is_no_new_term(database: Database) -> None:
    one = lease_of(database, "one")
    assert await one.acquire()
    assert await one.acquire()
    assert one.holder == "one#1"


async def test_it_counts_as_lost_a_renewal_before_the_row_ends(database: Database) -> None:
    clock = Steered()
    one = lease_of(database, "one", ttl=8, clock=clock)
    assert await one.acquire()
    clock.ahead = 5.5
    assert one.held
    clock.ahead = 6.1
    assert not one.held
    assert one.fence is None
    row = await one.read()
    assert row is not None
    assert row.valid


async def test_a_commit_of_one_who_lost_it_keeps_nothing(database: Database) -> None:
    one, two = lease_of(database, "one"), lease_of(database, "two")
    assert await one.acquire()
    await write(database, one.fence, "HELD-USD")
    stale = one.fence
    await age(database, 61)
    with pytest.raises(LeaseLostError, match="the lease feed:test is no longer held by one#1"):
        await write(database, stale, "ENDED-USD")
    assert await two.acquire()
    with pytest.raises(LeaseLostError):
        await write(database, stale, "TAKEN-USD")
    await write(database, two.fence, "NEW-USD")
    assert await written(database) == ["HELD-USD", "NEW-USD"]


async def test_a_takeover_waits_for_a_commit_under_way_and_a_renewal_does_not(database: Database) -> None:
    one, two = lease_of(database, "one"), lease_of(database, "two")
    assert await one.acquire()
    async with database.transaction() as transaction:
        await one.confirm(transaction)
        # Without waiting for the transaction that needs the lease.
        assert await asyncio.wait_for(one.renew(), 5)
        await age(database, 61)
        takeover = asyncio.create_task(two.acquire())
        await asyncio.sleep(0.3)
        assert not takeover.done()
        await transaction.commit()
    assert await asyncio.wait_for(takeover, 5)


async def test_keeping_it_renews_and_tells_when_it_is_gone(database: Database) -> None:
    one, two = lease_of(database, "one", ttl=2.4), lease_of(database, "two")
    assert await one.acquire()
    keeping = asyncio.create_task(one.keep())
    await asyncio.sleep(3)
    assert not keeping.done()
    assert not await two.acquire()
    await age(database, 61)
    assert await two.acquire()
    with pytest.raises(LeaseLostError, match="another has it"):
        await asyncio.wait_for(keeping, 5)
    assert not one.held


async def test_it_is_lost_in_time_while_the_database_cannot_be_reached(
    database: Database, open_database: Open
) -> None:
    away = await open_database("data_collector")
    one, two = lease_of(away, "one", ttl=2), lease_of(database, "two")
    assert await one.acquire()
    began = time.monotonic()
    await away._pool.expire_connections()
    away._pool.terminate()
    with pytest.raises(LeaseLostError, match="could not be renewed: no connection can be had"):
        await asyncio.wait_for(one.keep(), 5)
    assert time.monotonic() - began < 2
    assert not await two.acquire()


@pytest.mark.parametrize("name", ["", "it's", "a b", "x;y", "é", "l\n"])
def test_a_name_that_needs_quoting_is_refused(name: str) -> None:
    with pytest.raises(SchemaError, match="plain name"):
        Fence("feed:polygon", name)
    with pytest.raises(SchemaError, match="plain name"):
        Fence(name, "holder")


async def write(database: Database, fence: Fence | None, symbol: str) -> None:
    async with database.transaction() as transaction:
        await transaction.connection.execute("INSERT INTO tracker.symbols (symbol) VALUES ($1)", symbol)
        await transaction.commit(fence)


async def written(database: Database) -> list[str]:
    async with database.transaction() as transaction:
        rows = await transaction.connection.fetch("SELECT symbol FROM tracker.symbols ORDER BY symbol")
    return [row["symbol"] for row in rows]

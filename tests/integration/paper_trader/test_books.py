"""The health monitor on real ledgers: red where a row was changed, of that account alone, and green once mended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from busy_market import busy_market
from paper_desk import Desk
from test_accounts import ALL, SHIPPED
from tracker.store.database import Database
from tracker.testing.clock import FixedClock
from tracker.testing.trades import NOON

from services.health_monitor.books import REST, Books

CHANGES = (
    ("UPDATE tracker.fills SET price = price * {} WHERE fill_id = ({})", "1.25", "0.8"),
    ("UPDATE tracker.fills SET fee = fee + {} WHERE fill_id = ({})", "0.01", "-0.01"),
    ("UPDATE tracker.fills SET cost = cost + {} WHERE fill_id = ({})", "0.00000001", "-0.00000001"),
)
ONE = (
    "SELECT max(fill_id) FROM tracker.fills JOIN tracker.orders USING (order_id)"
    " WHERE account = 'aggressive' AND orders.side = 'buy'"
)


async def test_the_account_with_the_changed_row_is_red(
    desk: Desk, open_database: Callable[[str | None], Awaitable[Database]]
) -> None:
    await busy_market(desk)
    await desk.catch_up(desk.trader(accounts=SHIPPED, strategies=ALL))
    clock = FixedClock(NOON)
    books = Books(await open_database("health_monitor"), clock, every_seconds=60)
    assert await seen(books, clock) == {"aggressive": True, "paper": True}
    for statement, change, mending in CHANGES:
        await desk.execute(statement.format(change, ONE))
        assert await seen(books, clock) == {"aggressive": False, "paper": True}
        assert books.checks["aggressive"].findings
        await desk.execute(statement.format(mending, ONE))
        assert await seen(books, clock) == {"aggressive": True, "paper": True}


async def seen(books: Books, clock: FixedClock) -> dict[str, bool]:
    """Return what is said of each account once each has had its turn."""
    clock.advance(60)
    await books.look()
    await books.look()
    return {name: check.ok for name, check in books.checks.items()}


async def test_one_account_at_a_time_and_no_more_often_than_it_is_worth(
    desk: Desk, open_database: Callable[[str | None], Awaitable[Database]]
) -> None:
    await busy_market(desk)
    await desk.trader(accounts=SHIPPED, strategies=ALL).run_once()
    clock = FixedClock(NOON)
    books = Books(await open_database("health_monitor"), clock, every_seconds=60)
    await books.look()
    assert [*books.checks] == ["aggressive"]
    await books.look()
    assert [*books.checks] == ["aggressive", "paper"]
    first = dict(books.checks)
    clock.advance(59)
    await books.look()
    assert books.checks == first
    assert all(books.checks[name] is first[name] for name in first)
    clock.advance(1)
    await books.look()
    assert books.checks["aggressive"] is not first["aggressive"]


@dataclass
class SlowClock(FixedClock):
    """A clock by which every check takes ten seconds."""

    def monotonic(self) -> float:
        """Return ten seconds more than the last time."""
        self.elapsed += 10
        return self.elapsed


async def test_a_check_that_takes_long_comes_less_often(
    desk: Desk, open_database: Callable[[str | None], Awaitable[Database]]
) -> None:
    await busy_market(desk)
    await desk.trader(strategies=ALL).run_once()
    clock = SlowClock(NOON)
    books = Books(await open_database("health_monitor"), clock, every_seconds=60)
    await books.look()
    first = books.checks["paper"]
    clock.advance(10 * REST - 20)
    await books.look()
    assert books.checks["paper"] is first
    await books.look()
    assert books.checks["paper"] is not first

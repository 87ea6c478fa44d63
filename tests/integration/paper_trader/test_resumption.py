"""The ledger depends on bars and signals alone: not on batches, crashes or the pace of the others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from busy_market import GUARDED, RELAXED, busy_market
from paper_desk import Desk
from tracker.domain.errors import DatabaseUnavailableError
from tracker.domain.instrument import Instrument
from tracker.quant.paper import TradingRules
from tracker.store.database import Database, Transaction
from tracker.store.paper import ledger_check
from tracker.testing.paper_world import minutes
from tracker.testing.trades import NOON, make_signal


@pytest.mark.parametrize("rules", [RELAXED, GUARDED])
async def test_batches_do_not_matter(desk: Desk, rules: TradingRules) -> None:
    await busy_market(desk)
    ledgers = []
    for batch in (720, 7, 1):
        await desk.catch_up(desk.trader(rules=rules, strategies="dca,swing,channel", batch_minutes=batch))
        ledgers.append(await desk.ledger())
        async with desk.database.transaction() as transaction:
            check = await ledger_check(transaction)
            assert check.ok, check.findings
        await desk.forget()
    first, *others = ledgers
    reasons = {row["exit_reason"] for row in first["trade_logs"]}
    if rules is RELAXED:
        assert reasons == {"stop", "trailing", "target", "timeout", "break_even"}
        assert len(first["trade_logs"]) > 20
    else:
        assert "flatten" in reasons
        refused = {row["reason"] for row in first["orders"] if row["reason"] is not None}
        locked = {row["protection"] for row in first["protection_locks"]}
        assert refused >= {"halted", "drawdown", "daily_loss", "cool_down", "low_profit", "correlated_exposure"}
        assert locked == {"halt", "drawdown", "daily_loss", "stop_streak", "cool_down", "low_profit"}
    assert {row["status"] for row in first["orders"]} >= {"filled", "cancelled", "refused"}
    for other in others:
        for table, rows in first.items():
            assert other[table] == rows, table


class Crash(Exception):
    """Stands for a process killed before its commit."""


@dataclass(slots=True)
class CrashingDatabase:
    """A database whose transactions do all their work and then die, as often as `deaths` says."""

    database: Database
    deaths: int

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction whose commit may never come."""
        async with self.database.transaction() as transaction:
            if self.deaths:
                transaction.commit = self._die  # type: ignore[method-assign]
            yield transaction

    async def _die(self) -> None:
        self.deaths -= 1
        raise Crash


async def test_a_crash_before_the_commit_leaves_no_trace(desk: Desk) -> None:
    await busy_market(desk)
    await desk.catch_up(desk.trader(rules=RELAXED, batch_minutes=90))
    expected = await desk.ledger()
    await desk.forget()
    crashing = CrashingDatabase(desk.database, deaths=0)
    trader = desk.trader(database=crashing, rules=RELAXED, batch_minutes=30)  # type: ignore[arg-type]
    more = True
    while more:
        crashing.deaths = 1
        with pytest.raises(Crash):
            await trader.run_once()
        more = await trader.run_once()
    assert await desk.ledger() == expected


async def test_two_traders_do_not_double_anything(desk: Desk) -> None:
    await busy_market(desk)
    await desk.catch_up(desk.trader(rules=RELAXED))
    expected = await desk.ledger()
    await desk.forget()
    first, second = desk.trader(rules=RELAXED, batch_minutes=45), desk.trader(rules=RELAXED, batch_minutes=45)
    more = True
    while more:
        more = await first.run_once() or await second.run_once()
    assert await desk.ledger() == expected


async def test_it_waits_for_the_scanners(desk: Desk) -> None:
    ids = await desk.world.list_symbols(Instrument(symbol_id=0, symbol="BTC-USD"))
    await desk.world.bars("BTC-USD", [(100, 101, 99, 100)] * 60)
    trader = desk.trader()
    await desk.catch_up(trader)
    assert await processed(desk) == NOON - minutes(1)
    await desk.world.scanned(NOON)
    await desk.catch_up(trader)
    assert await processed(desk) == NOON + minutes(14)
    await desk.world.signals([make_signal(symbol_id=ids["BTC-USD"], decided_at=NOON + minutes(15))])
    await desk.world.scanned(NOON + minutes(30))
    desk.clock.advance(10_000)
    await desk.catch_up(trader)
    assert await processed(desk) == NOON + minutes(44)
    (order,) = await desk.rows("SELECT status FROM tracker.orders")
    assert order == {"status": "filled"}


async def test_a_dead_scanner_does_not_keep_stops_from_being_watched(desk: Desk) -> None:
    ids = await desk.world.list_symbols(Instrument(symbol_id=0, symbol="BTC-USD"))
    await desk.world.bars(
        "BTC-USD", [*[(100, 101, 99, 100)] * 20, (100, 100, 90, 91), *[(91, 92, 90, 91)] * 19]
    )
    await desk.world.signals([make_signal(symbol_id=ids["BTC-USD"], decided_at=NOON)])
    await desk.world.scanned(NOON)
    trader = desk.trader(signal_grace_seconds=60)
    await desk.catch_up(trader)
    desk.clock.advance(59)
    assert not await trader.run_once()
    assert await desk.rows("SELECT FROM tracker.trade_logs") == []
    desk.clock.advance(2)
    await desk.catch_up(trader)
    assert trader.detail()["scanners_given_up"] == ["swing"]
    (trade,) = await desk.rows("SELECT exit_reason FROM tracker.trade_logs")
    assert trade == {"exit_reason": "stop"}
    # The scanner comes back: what it says about the past is late, and from then on it is waited for again.
    await desk.world.signals([make_signal(symbol_id=ids["BTC-USD"], decided_at=NOON + minutes(30))])
    await desk.world.scanned(NOON + minutes(30))
    await desk.catch_up(trader)
    late = await desk.rows("SELECT reason, placed_at FROM tracker.orders WHERE status = 'refused'")
    assert late == [{"reason": "late", "placed_at": NOON + minutes(40)}]
    await desk.world.bars("BTC-USD", [(91, 92, 90, 91)] * 10, first=NOON + minutes(40))
    await desk.catch_up(trader)
    assert await processed(desk) == NOON + minutes(44)
    assert trader.detail()["scanners_given_up"] == []


async def test_nothing_happens_before_bars_are_collected(desk: Desk) -> None:
    assert not await desk.trader().run_once()
    assert await desk.rows("SELECT * FROM tracker.paper_cursor") == []


async def test_a_lost_database_is_worth_a_retry(desk: Desk) -> None:
    await busy_market(desk)
    await desk.database.close()
    with pytest.raises(DatabaseUnavailableError) as failure:
        await desk.trader().run_once()
    assert failure.value.retryable


CORRUPTIONS = {
    "cash": "UPDATE tracker.accounts SET cash = cash + 0.00000001",
    "fees": "UPDATE tracker.accounts SET fees = fees + 1",
    "realised": "UPDATE tracker.accounts SET realised_pnl = realised_pnl - 0.01",
    "a fill's price": "UPDATE tracker.fills SET price = price * 1.0001 WHERE fill_id = 1",
    "a lost fill": "DELETE FROM tracker.fills WHERE fill_id = 2",
    "a fill's cost": "UPDATE tracker.fills SET cost = cost + 0.00000001 WHERE fill_id = 3",
    "a fill's profit": "UPDATE tracker.fills SET realised_pnl = realised_pnl - 1 WHERE side = 'sell'",
    "a deposit nobody made": "INSERT INTO tracker.account_events (account, ts, kind, amount, outcome, note)"
    " VALUES ('paper', now(), 'deposit', 5, 'done', '')",
    "a position's quantity": "UPDATE tracker.positions SET quantity = quantity + 1 WHERE status = 'open'",
    "a position's cost": "UPDATE tracker.positions SET cost = cost + 1 WHERE position_id = 1",
    "a trade's profit": "UPDATE tracker.trade_logs SET gross_pnl = gross_pnl + 1, pnl = pnl + 1",
    "a lost trade": "DELETE FROM tracker.trade_logs WHERE trade_id = 1",
    "an order's fills": "UPDATE tracker.orders SET filled_quantity = filled_quantity / 2 WHERE order_id = 1",
    "the equity curve": "UPDATE tracker.equity_curve SET cash = cash + 1, equity = equity + 1 "
    "WHERE ts = (SELECT max(ts) FROM tracker.equity_curve)",
}


async def test_the_ledger_check_can_fail(desk: Desk) -> None:
    await busy_market(desk)
    await desk.catch_up(desk.trader(rules=RELAXED, strategies="dca,swing,channel"))
    assert await desk.rows("SELECT FROM tracker.positions WHERE status = 'open'")
    for name, statement in CORRUPTIONS.items():
        async with desk.world.owner.transaction() as transaction:
            assert (await ledger_check(transaction)).ok
            await transaction.connection.execute(statement)
            check = await ledger_check(transaction)
        assert not check.ok, name
        assert check.difference > 0
        assert check.findings


async def processed(desk: Desk) -> object:
    """Return how far the ledger has come."""
    (row,) = await desk.rows("SELECT processed_through FROM tracker.paper_cursor")
    return row["processed_through"]

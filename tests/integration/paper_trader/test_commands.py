"""Commands of people: carried out between two minutes, answered once, and in the books."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from busy_market import RELAXED, busy_market
from busy_market import RULES as SHIPPED
from paper_desk import BALANCE, UNBALANCED, Desk
from tracker.domain.command import Command, CommandKind, Outcome
from tracker.domain.instrument import Instrument
from tracker.domain.signal import Strategy
from tracker.runtime.accounts import AccountRules
from tracker.runtime.parity_difference import Difference
from tracker.runtime.parity_ledger import compare_ledger
from tracker.store.commands import read_answer, write_command
from tracker.store.database import Database
from tracker.store.migrate import MIGRATIONS
from tracker.store.paper import ledger_check
from tracker.store.symbols import read_symbols
from tracker.testing.paper_world import minutes
from tracker.testing.trades import NOON, make_signal


async def ask(control: Database, kind: CommandKind, **arguments: Any) -> int:
    """Give a command as the command line does."""
    async with control.transaction() as transaction:
        command = Command(account="paper", kind=kind, arguments=arguments, requested_by="a test")
        number = await write_command(transaction, command)
        await transaction.commit()
    return number


async def test_money_comes_in_and_goes_out(
    desk: Desk, open_database: Callable[[str | None], Awaitable[Database]]
) -> None:
    control = await open_database("control")
    await desk.world.list_symbols(Instrument(symbol_id=0, symbol="BTC-USD"))
    await desk.world.bars("BTC-USD", [(100, 101, 99, 100)] * 20)
    await desk.world.scanned(NOON + minutes(15))
    trader = desk.trader()
    await desk.catch_up(trader)
    asked = [
        await ask(control, CommandKind.DEPOSIT, amount="2500.5"),
        await ask(control, CommandKind.WITHDRAW, amount="12500.51"),
        await ask(control, CommandKind.WITHDRAW, amount="100"),
        await ask(control, CommandKind.DEPOSIT, amount="-1"),
        await ask(control, CommandKind.DEPOSIT, amount="many"),
        await ask(control, CommandKind.OPEN),
    ]
    await desk.catch_up(trader)
    await desk.catch_up(trader)
    async with control.transaction() as transaction:
        events = [await read_answer(transaction, number) for number in asked]
        check = await ledger_check(transaction)
    answers = [(each.answer.outcome, each.answer.amount, each.answer.note) for each in events if each is not None]
    assert answers == [
        (Outcome.DONE, Decimal("2500.5"), "2500.5 USD came in"),
        (Outcome.REFUSED, None, "12500.51 USD is more than the free cash, 12500.50 USD"),
        (Outcome.DONE, Decimal(-100), "100 USD went out"),
        (Outcome.REFUSED, None, "amount = -1 is not above 0 and below 1,000,000,000,000,000"),
        (Outcome.REFUSED, None, "amount = 'many' is not a number"),
        (Outcome.REFUSED, None, "account 'paper' is open and cannot be told to open"),
    ]
    assert {each.ts for each in events if each is not None} == {NOON + minutes(20)}
    assert await desk.rows("SELECT cash FROM tracker.accounts") == [{"cash": Decimal("12400.5")}]
    assert check.ok, check.findings
    assert await desk.rows(BALANCE) == []


async def test_orders_are_replaced_cancelled_and_flattened_and_the_check_of_the_ledger_knows(
    desk: Desk, open_database: Callable[[str | None], Awaitable[Database]]
) -> None:
    control = await open_database("control")
    ids = await desk.world.list_symbols(Instrument(symbol_id=0, symbol="BTC-USD", lot_step=Decimal("0.001")))
    dca = make_signal(
        strategy=Strategy("dca"),
        symbol_id=ids["BTC-USD"],
        decided_at=NOON,
        ladder=(98.0, 97.0),
        size_weights=(0.5, 0.25, 0.25),
        target_fraction=0.1,
    )
    await desk.world.signals([dca])
    await desk.world.bars("BTC-USD", [(100, 101, 99, 100)] * 5)
    await desk.world.scanned(NOON)
    trader = desk.trader(strategies="dca")
    await desk.catch_up(trader)
    trade = {"strategy": "dca", "symbol": "BTC-USD", "decided_at": NOON.isoformat()}
    asked = [
        await ask(control, CommandKind.REPLACE, **trade, leg="rung1", price="98.5", quantity="4"),
        await ask(control, CommandKind.CANCEL, **trade, leg="rung2"),
        await ask(control, CommandKind.REPLACE, **trade, leg="target", price="150"),
        await ask(control, CommandKind.REPLACE, **trade, leg="stop", price="94"),
    ]
    await desk.world.bars("BTC-USD", [(99, 99, 96, 98)] * 4, first=NOON + minutes(5))
    await desk.catch_up(trader)
    asked.append(await ask(control, CommandKind.FLATTEN))
    await desk.world.bars("BTC-USD", [(97, 98, 96, 98)] * 4, first=NOON + minutes(9))
    await desk.catch_up(trader)
    async with control.transaction() as transaction:
        events = [await read_answer(transaction, number) for number in asked]
        instruments = {each.symbol_id: each for each in await read_symbols(transaction)}
        found: list[Difference] = []
        compared = await compare_ledger(transaction, AccountRules(rules=SHIPPED), instruments, found)
    assert [(each.answer.outcome, each.ts - NOON) for each in events if each is not None] == [
        (Outcome.DONE, minutes(5)),
        (Outcome.DONE, minutes(5)),
        (Outcome.DONE, minutes(5)),
        (Outcome.REFUSED, minutes(5)),
        (Outcome.DONE, minutes(9)),
    ]
    orders = await desk.rows("SELECT leg, status, limit_price, note FROM tracker.orders ORDER BY order_id")
    assert [(each["leg"], each["status"]) for each in orders] == [
        ("entry", "filled"), ("rung1", "cancelled"), ("rung2", "cancelled"), ("rung1.1", "filled"),
        ("flatten", "filled"),
    ]
    assert orders[1]["note"].endswith("; replaced by rung1.1")
    assert orders[3]["limit_price"] == Decimal("98.5")
    trades = await desk.rows("SELECT exit_reason, take_profit_price, exit_time FROM tracker.trade_logs")
    assert trades == [{"exit_reason": "flatten", "take_profit_price": 150, "exit_time": NOON + minutes(9)}]
    assert found == []
    assert (compared["orders"], compared["fills"], compared["trades"]) == (5, 3, 1)


async def test_every_row_of_the_books_is_in_the_journal_twice(desk: Desk) -> None:
    await busy_market(desk)
    await desk.catch_up(desk.trader(rules=RELAXED, strategies="dca,swing,channel"))
    assert await desk.rows(UNBALANCED) == []
    assert await desk.rows(BALANCE) == []
    parts = await desk.rows("SELECT ledger_account FROM dashboards.account_balance WHERE balance <> 0 ORDER BY 1")
    assert [each["ledger_account"] for each in parts] == ["capital", "cash", "fees", "inventory", "realised_pnl"]


async def test_fills_of_before_get_the_cost_that_booking_gives(desk: Desk) -> None:
    await busy_market(desk)
    await desk.catch_up(desk.trader(rules=RELAXED, strategies="dca,swing,channel"))
    fills = "SELECT fill_id, cost, realised_pnl FROM tracker.fills ORDER BY fill_id"
    expected = await desk.rows(fills)
    assert len(expected) > 40
    assert any(each["cost"] != round(each["cost"], 4) for each in expected)
    (migration,) = MIGRATIONS.glob("0017_*.sql")
    begin = migration.read_text().index("DO $$\nDECLARE\n  fill record")
    block = migration.read_text()[begin:].split("$$;")[0] + "$$"
    await desk.execute(
        "ALTER TABLE tracker.fills ALTER COLUMN cost DROP NOT NULL, ALTER COLUMN realised_pnl DROP NOT NULL"
    )
    await desk.execute("UPDATE tracker.fills SET cost = NULL, realised_pnl = NULL")
    await desk.execute(block)
    assert await desk.rows(fills) == expected

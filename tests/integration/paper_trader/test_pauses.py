"""A person pauses one strategy: its new trades are refused, others go on, and the check of the ledger agrees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from busy_market import RULES
from paper_desk import Desk
from tracker.domain.command import Command, CommandKind, Outcome
from tracker.domain.instrument import Instrument
from tracker.domain.signal import Strategy
from tracker.runtime.accounts import AccountRules
from tracker.runtime.parity_difference import Difference
from tracker.runtime.parity_ledger import compare_ledger
from tracker.store.commands import read_answer, write_command
from tracker.store.database import Database
from tracker.store.symbols import read_symbols
from tracker.testing.paper_world import minutes
from tracker.testing.trades import NOON, make_signal

SYMBOLS = ("BTC-USD", "ETH-USD", "SOL-USD", "ADA-USD")


async def ask(control: Database, kind: CommandKind, reason: str = "", **arguments: Any) -> int:
    """Give a command as the command line does."""
    async with control.transaction() as transaction:
        command = Command(account="paper", kind=kind, arguments=arguments, requested_by="ann", reason=reason)
        number = await write_command(transaction, command)
        await transaction.commit()
    return number


async def test_a_paused_strategy_buys_nothing_until_it_is_unpaused(
    desk: Desk, open_database: Callable[[str | None], Awaitable[Database]]
) -> None:
    control = await open_database("control")
    ids = await desk.world.list_symbols(
        *(Instrument(symbol_id=0, symbol=each, lot_step=Decimal("0.001")) for each in SYMBOLS)
    )
    signals = [
        make_signal(strategy=Strategy(name), symbol_id=ids[symbol], decided_at=NOON + minutes(at), ladder=())
        for name, symbol, at in (
            ("dca", "BTC-USD", 0), ("dca", "ETH-USD", 15), ("swing", "SOL-USD", 15), ("dca", "ADA-USD", 30)
        )
    ]
    await desk.world.signals(signals)
    for symbol in SYMBOLS:
        await desk.world.bars(symbol, [(100, 101, 99, 100)] * 10)
    await desk.world.scanned(NOON)
    trader = desk.trader(strategies="dca,swing")
    await desk.catch_up(trader)
    asked = [
        await ask(control, CommandKind.UNPAUSE, strategy="dca"),
        await ask(control, CommandKind.PAUSE, reason="too hot", strategy="dca"),
        await ask(control, CommandKind.PAUSE, strategy="Not A Name"),
        await ask(control, CommandKind.PAUSE),
    ]
    for symbol in SYMBOLS:
        await desk.world.bars(symbol, [(100, 101, 99, 100)] * 15, first=NOON + minutes(10))
    await desk.world.scanned(NOON + minutes(15))
    await desk.catch_up(desk.trader(strategies="dca,swing"))
    asked += [await ask(control, CommandKind.RESUME), await ask(control, CommandKind.UNPAUSE, strategy="dca")]
    for symbol in SYMBOLS:
        await desk.world.bars(symbol, [(100, 101, 99, 100)] * 15, first=NOON + minutes(25))
    await desk.world.scanned(NOON + minutes(30))
    await desk.catch_up(desk.trader(strategies="dca,swing"))
    async with control.transaction() as transaction:
        events = [await read_answer(transaction, number) for number in asked]
        instruments = {each.symbol_id: each for each in await read_symbols(transaction)}
        found: list[Difference] = []
        compared = await compare_ledger(transaction, AccountRules(rules=RULES), instruments, found)
    assert [each.answer.outcome for each in events if each is not None] == [
        Outcome.REFUSED, Outcome.DONE, Outcome.REFUSED, Outcome.REFUSED, Outcome.REFUSED, Outcome.DONE,
    ]  # fmt: skip
    orders = await desk.rows(
        "SELECT o.strategy, symbol, o.status, o.reason, o.note FROM tracker.orders o"
        " JOIN tracker.symbols USING (symbol_id)"
        " WHERE leg = 'entry' ORDER BY decided_at, symbol"
    )
    assert [(each["strategy"], each["symbol"], each["status"], each["reason"]) for each in orders] == [
        ("dca", "BTC-USD", "filled", None),
        ("dca", "ETH-USD", "refused", "paused_by_command"),
        ("swing", "SOL-USD", "filled", None),
        ("dca", "ADA-USD", "filled", None),
    ]
    assert orders[1]["note"].startswith("paused by ann: too hot; until ")
    locks = await desk.rows("SELECT protection, strategy, symbol, active FROM dashboards.protection_locks")
    assert locks == [{"protection": "pause", "strategy": "dca", "symbol": None, "active": False}]
    assert found == []
    assert compared["orders"] >= 4

"""The ledger held against what the paper trader's rules make of the stored signals and bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracker.domain.command import AccountEvent, CommandKind
from tracker.domain.instrument import Instrument
from tracker.domain.order import ENTRY_LEG, OrderStatus, RefusalReason
from tracker.domain.signal import Signal
from tracker.domain.timeframe import Timeframe
from tracker.quant.backtest.market import Span
from tracker.quant.backtest.trading import new_ledger
from tracker.quant.paper import TradingRules
from tracker.quant.portfolio.book import Book, moment_of, seconds_of
from tracker.quant.portfolio.walk import Walk
from tracker.runtime.config import config_hash
from tracker.runtime.parity_difference import Difference, difference, facts_of
from tracker.runtime.stored_markets import candle_market
from tracker.store.commands import read_events
from tracker.store.database import Transaction
from tracker.store.paper import read_signals
from tracker.store.parity import read_closed_trades, read_fills, read_ledger_span, read_orders, trade_key

STRETCH_SECONDS = 7 * 86_400

async def compare_ledger(
    transaction: Transaction,
    trading: TradingRules,
    instruments: Mapping[int, Instrument],
    found: list[Difference],
) -> dict[str, int]:
    """Add what differs to `found`, and return how much was compared; a ledger kept by other rules is not."""
    account = trading.paper.account.name
    kept = await read_ledger_span(transaction, account)
    counts = {"orders": 0, "fills": 0, "trades": 0, "other_rules": 0}
    if kept is None or kept[0] >= kept[1]:
        return counts
    rules_hash = config_hash(trading)
    orders = await read_orders(transaction, account)
    counts["other_rules"] = sum(1 for each in orders.values() if each.rules_hash != rules_hash)
    if counts["other_rules"]:
        return counts  # a ledger that was kept by other rules, even for a part, is not what these would make
    late = {key for key, each in orders.items() if each.reason is RefusalReason.LATE}
    for key in sorted(late, key=lambda each: each.decided_at):
        symbol = instruments[key.symbol_id].symbol
        found.append(
            difference("signal", key.strategy, symbol, seconds_of(key.decided_at), "acted on", "too late", "in time")
        )
    # The minute that ends where collection begins is the first: a close at that moment may be traded.
    span = Span(first=seconds_of(kept[0]) - Timeframe.M1.seconds, end=seconds_of(kept[1]))
    signals = [
        each
        for each in await read_signals(transaction, moment_of(span.first), moment_of(span.end))
        if not any(
            key.decided_at == each.decided_at and key.symbol_id == each.symbol_id and key.strategy == each.strategy
            for key in late
        )
    ]
    told = [each for each in await read_events(transaction, account) if each.command.kind is not CommandKind.OPEN]
    book = await _booked(transaction, trading, rules_hash, instruments, span, signals, told)
    changes = book.changes()
    now_orders = {each.key: each for each in changes.new_orders}
    was_orders = {key: each for key, each in orders.items() if key not in late}
    found += _rows_differ("order", was_orders, now_orders, instruments)
    fills = await read_fills(transaction, account)
    found += _rows_differ("fill", fills, {(each.order, each.bar_ts): each for each in book.fills}, instruments)
    trades = await read_closed_trades(transaction, account)
    found += _rows_differ("trade", trades, {trade_key(each): each for each in book.trades}, instruments)
    return {**counts, "orders": len(was_orders), "fills": len(fills), "trades": len(trades)}


async def _booked(
    transaction: Transaction,
    trading: TradingRules,
    rules_hash: str,
    instruments: Mapping[int, Instrument],
    span: Span,
    signals: Sequence[Signal],
    told: Sequence[AccountEvent],
) -> Book:
    """Return the book after the span, walked a week at a time so that years of candles need no memory."""
    traded = {each.symbol_id for each in signals}
    engine = new_ledger(trading, rules_hash, span.first, [instruments[each] for each in sorted(traded)], signals)
    for each in told:
        if seconds_of(each.ts) <= span.first:
            engine.obey(each.command, each.ts)
    engine.expect(each for each in told if seconds_of(each.ts) > span.first)
    for first in range(span.first, span.end, STRETCH_SECONDS):
        stretch = Span(first=first, end=min(first + STRETCH_SECONDS, span.end))
        wanted = {each.symbol_id for each in signals if stretch.first < seconds_of(each.decided_at) <= stretch.end}
        wanted |= {each.instrument.symbol_id for each in engine.book.live}
        markets = [await candle_market(transaction, instruments[each], stretch) for each in sorted(wanted)]
        Walk(engine, {each.instrument.symbol_id: each.candles for each in markets}).run(stretch.first, stretch.end)
    return engine.book


def _rows_differ(
    what: str, was: Mapping[Any, Any], now: Mapping[Any, Any], instruments: Mapping[int, Instrument]
) -> list[Difference]:
    found: list[Difference] = []
    for key in sorted({*was, *now}, key=str):
        order = key if what != "fill" else key[0]
        where = (order.strategy, instruments[order.symbol_id].symbol, seconds_of(order.decided_at))
        one, other = was.get(key), now.get(key)
        leg = "" if order.leg == ENTRY_LEG and what == "trade" else f" {order.leg}"
        if one is None or other is None:
            found.append(difference(what, *where, f"row{leg}", one and "there", other and "there"))
            continue
        for name, value in facts_of(one).items():
            if value != getattr(other, name) and not (what == "order" and name == "note" and _ended_alike(one, other)):
                found.append(difference(what, *where, f"{name}{leg}", value, getattr(other, name)))
    return found


def _ended_alike(one: Any, other: Any) -> bool:
    """Tell whether only the words of a refusal differ, which name figures that are not decisions."""
    return one.status is OrderStatus.REFUSED and one.reason is other.reason

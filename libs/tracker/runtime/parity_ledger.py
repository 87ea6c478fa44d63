"""The ledger held against what the paper trader's rules make of the stored signals and bars."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tracker.domain.command import AccountEvent, CommandKind, Outcome
from tracker.domain.instrument import Instrument
from tracker.domain.order import ENTRY_LEG, Order, OrderKey, OrderStatus, RefusalReason
from tracker.domain.signal import Signal
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.quant.backtest.market import Span
from tracker.quant.backtest.trading import active, new_ledger
from tracker.quant.paper import TradingRules
from tracker.quant.portfolio.book import Book, moment_of, seconds_of
from tracker.quant.portfolio.engine import Engine
from tracker.quant.portfolio.hours import hourly_closes
from tracker.quant.portfolio.walk import Walk
from tracker.quant.risk_rules import HOUR_SECONDS
from tracker.runtime.accounts import AccountRules, accounts_kept
from tracker.runtime.ledger_state import LedgerState
from tracker.runtime.parity_difference import Difference, difference, facts_of
from tracker.runtime.stored_markets import candle_market
from tracker.store.commands import read_events
from tracker.store.database import Transaction
from tracker.store.paper import read_signals
from tracker.store.parity import read_closed_trades, read_fills, read_ledger_span, read_orders, trade_key
from tracker.store.risk import read_hourly_closes

STRETCH_SECONDS = 7 * 86_400
COUNTED = ("orders", "fills", "trades", "other_rules")


async def compare_ledgers(
    transaction: Transaction,
    configured: Sequence[AccountRules],
    config_dir: Path,
    instruments: Mapping[int, Instrument],
    found: list[Difference],
    since: Mapping[str, LedgerState] = MappingProxyType({}),
) -> dict[str, int]:
    """Add what differs in any account to `found`, and return how much of all was compared.

    An account that has a state in `since` is compared from there on, the others whole.
    """
    usable, unusable = await accounts_kept(transaction, configured, config_dir)
    counts: dict[str, int] = dict.fromkeys(COUNTED, 0)
    for account in usable:
        compared = await compare_ledger(transaction, account, instruments, found, since.get(account.name))
        for name, count in compared.items():
            counts[name] += count
    found += [difference("account", "", "", 0, "rules", str(error), None, name) for name, error in unusable.items()]
    return counts


async def compare_ledger(
    transaction: Transaction,
    account: AccountRules,
    instruments: Mapping[int, Instrument],
    found: list[Difference],
    since: LedgerState | None = None,
) -> dict[str, int]:
    """Add what differs to `found`, and return how much was compared; a ledger kept by other rules is not.

    The ledger is kept again from `since` on, or from its beginning.
    """
    name = account.name
    kept = await read_ledger_span(transaction, name)
    counts: dict[str, int] = dict.fromkeys(COUNTED, 0)
    # The minute that ends where the account begins is the first: a close at that moment may be traded.
    begin = None if kept is None else since.at if since else kept[0] - Timeframe.M1.duration
    if kept is None or begin is None or begin >= kept[1]:
        return counts
    oldest = since.since if since else EPOCH
    orders = _concerned(await read_orders(transaction, name, oldest), since)
    counts["other_rules"] = sum(1 for each in orders.values() if each.rules_hash != account.hash)
    if since is not None and since.rules_hash != account.hash:
        counts["other_rules"] = max(counts["other_rules"], 1)
    if counts["other_rules"]:
        return counts  # a ledger that was kept by other rules, even for a part, is not what these would make
    late = {key for key, each in orders.items() if each.reason is RefusalReason.LATE}
    mine: list[Difference] = []
    for key in sorted(late, key=lambda each: each.decided_at):
        symbol = instruments[key.symbol_id].symbol
        mine.append(
            difference("signal", key.strategy, symbol, seconds_of(key.decided_at), "acted on", "too late", "in time")
        )
    span = Span(first=seconds_of(begin), end=seconds_of(kept[1]))
    # Which symbols were halted at the time is not among what was stored.
    missed = late | {key for key, each in orders.items() if each.reason is RefusalReason.SYMBOL_HALTED}
    signals = await _acted_on(transaction, account, span, missed)
    told = await read_events(transaction, name)
    events = told[since.events :] if since else _since_opened(told)
    engine = await _kept_again(transaction, account, instruments, span, signals, events, since)
    book = engine.book
    mine += _answers_differ(events, engine.events)
    was_orders = {key: each for key, each in orders.items() if key not in missed}
    mine += _rows_differ("order", was_orders, _orders_now(book, since), instruments)
    fills = await read_fills(transaction, name, oldest)
    known = {(each.order, each.bar_ts) for each in since.fills} if since else set[tuple[OrderKey, datetime]]()
    was_fills = {key: each for key, each in fills.items() if key not in known and _in(since, key[0])}
    mine += _rows_differ("fill", was_fills, {(each.order, each.bar_ts): each for each in book.fills}, instruments)
    trades = await read_closed_trades(transaction, name, oldest)
    was_trades = {key: each for key, each in trades.items() if _in(since, key)}
    mine += _rows_differ("trade", was_trades, {trade_key(each): each for each in book.trades}, instruments)
    found += [replace(each, account=name) for each in mine]
    return {**counts, "orders": len(was_orders), "fills": len(was_fills), "trades": len(was_trades)}


def _in(since: LedgerState | None, key: OrderKey) -> bool:
    return since is None or since.concerns(key)


def _concerned(orders: Mapping[OrderKey, Order], since: LedgerState | None) -> dict[OrderKey, Order]:
    """Return the orders that were not over before."""
    over = set(since.ended) if since else set[OrderKey]()
    return {key: each for key, each in orders.items() if key not in over and _in(since, key)}


def _orders_now(book: Book, since: LedgerState | None) -> dict[OrderKey, Order]:
    changes = book.changes()
    before = since.orders if since else ()
    return {each.key: each for each in (*before, *changes.changed_orders, *changes.new_orders)}


async def _acted_on(
    transaction: Transaction, account: AccountRules, span: Span, passed_over: Collection[OrderKey]
) -> list[Signal]:
    """Return the signals of the span that the account judged."""
    only = account.rules.paper.account.strategies
    missed = {(key.strategy, key.symbol_id, key.decided_at) for key in passed_over}
    return [
        each
        for each in await read_signals(transaction, moment_of(span.first), moment_of(span.end))
        if (each.strategy, each.symbol_id, each.decided_at) not in missed and (only is None or each.strategy in only)
    ]


def _since_opened(events: Sequence[AccountEvent]) -> list[AccountEvent]:
    """Return what the account was told after it was opened."""
    opened = (each.command.kind is CommandKind.OPEN and each.answer.outcome is Outcome.DONE for each in events)
    return [*events][next((number for number, each in enumerate(opened, start=1) if each), 0) :]


async def _kept_again(
    transaction: Transaction,
    account: AccountRules,
    instruments: Mapping[int, Instrument],
    span: Span,
    signals: Sequence[Signal],
    events: Sequence[AccountEvent],
    since: LedgerState | None,
) -> Engine:
    """Return the engine after the span, walked a week at a time so that years of candles need no memory."""
    if since is None:
        engine = new_ledger(account.rules, account.hash, span.first, instruments.values(), signals)
    else:
        book = Book(since.account, since.positions, since.orders, active(instruments.values()), since.memory)
        engine = Engine(book, account.rules, account.hash, signals)
    for each in events:
        if seconds_of(each.ts) <= span.first:
            engine.obey(each.command, each.ts)
    engine.expect(each for each in events if seconds_of(each.ts) > span.first)
    for first in range(span.first, span.end, STRETCH_SECONDS):
        stretch = Span(first=first, end=min(first + STRETCH_SECONDS, span.end))
        wanted = {each.symbol_id for each in signals if stretch.first < seconds_of(each.decided_at) <= stretch.end}
        wanted |= {each.instrument.symbol_id for each in engine.book.live}
        markets = [await candle_market(transaction, instruments[each], stretch) for each in sorted(wanted)]
        await _load_hours(transaction, engine, account.rules, wanted, stretch)
        Walk(engine, {each.instrument.symbol_id: each.candles for each in markets}).run(stretch.first, stretch.end)
    return engine


def _answers_differ(was: Sequence[AccountEvent], now: Sequence[AccountEvent]) -> list[Difference]:
    found: list[Difference] = []
    again = {each.command.command_id: each for each in now}
    for each in was:
        other = again.get(each.command.command_id)
        kind, at = each.command.kind.value, seconds_of(each.ts)
        if other is None:
            found.append(difference("command", "", "", at, f"row {kind}", "there", None))
            continue
        facts = ((name, getattr(each.answer, name), getattr(other.answer, name)) for name in ("outcome", "amount"))
        moments = ("ts", each.ts, other.ts)
        found += [
            difference("command", "", "", at, f"{name} {kind}", one, two)
            for name, one, two in (moments, *facts)
            if one != two
        ]
    return found


async def _load_hours(
    transaction: Transaction, engine: Engine, trading: TradingRules, symbol_ids: Collection[int], stretch: Span
) -> None:
    """Give the engine the hourly closes that decisions of a stretch look back on."""
    limits = trading.risk.limits
    if limits.max_cluster_exposure is None or not symbol_ids:
        return
    begin = stretch.first - (limits.cluster_hours + 1) * HOUR_SECONDS
    closes = await read_hourly_closes(transaction, symbol_ids, moment_of(begin), moment_of(stretch.end))
    engine.load_hours(hourly_closes(closes, symbol_ids, begin, stretch.end))


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

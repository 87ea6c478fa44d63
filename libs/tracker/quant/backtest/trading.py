"""Signals traded over the past: in bulk, and in the ledger's own decimals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tracker.domain.account import Account
from tracker.domain.errors import InputError
from tracker.domain.instrument import Instrument, InstrumentStatus
from tracker.domain.money import decimal_of
from tracker.domain.order import RefusalReason
from tracker.domain.signal import Signal
from tracker.quant.backtest.market import Span, SymbolMarket
from tracker.quant.backtest.plan import BacktestPlan
from tracker.quant.backtest.signals import SignalTable
from tracker.quant.backtest.tables import FillTable, TradeTable, fill_table, trade_table
from tracker.quant.bars import Floats, Ints
from tracker.quant.bulk import desk
from tracker.quant.bulk.desk import Market, new_desk, new_record, still_live
from tracker.quant.paper import TradingRules
from tracker.quant.portfolio.book import Book, moment_of, seconds_of
from tracker.quant.portfolio.engine import Engine
from tracker.quant.portfolio.guard import PROTECTIONS
from tracker.quant.portfolio.guard import REFUSALS as LOCK_REFUSALS
from tracker.quant.portfolio.hours import HourlyCloses
from tracker.quant.portfolio.walk import Walk
from tracker.quant.risk_rules import HOUR_SECONDS

if TYPE_CHECKING:
    from tracker.quant.backtest.looks import Looks

# In the order of the verdicts in `tracker.quant.bulk.desk`.
REFUSALS = (
    None,
    RefusalReason.ALREADY_OPEN,
    RefusalReason.TOO_MANY_POSITIONS,
    RefusalReason.NO_EQUITY,
    RefusalReason.NO_CASH,
    RefusalReason.BELOW_MIN_NOTIONAL,
    RefusalReason.GROSS_EXPOSURE,
    RefusalReason.SYMBOL_EXPOSURE,
    RefusalReason.CORRELATED_EXPOSURE,
    RefusalReason.BELOW_ACCOUNT_THRESHOLD,
    *(LOCK_REFUSALS[each] for each in PROTECTIONS),
    RefusalReason.STALE_PRICE,
)
FILLS_A_SIGNAL = 4
# In the kernel's order.
BAR_COLUMNS = ("ts", "open", "high", "low", "close", "volume")
TradeAll = Callable[..., int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traded:
    """What became of signals: `verdicts` int64 (n,) as in REFUSALS; `held` (n,) what is still held at the end."""

    verdicts: Ints
    fills: FillTable
    trades: TradeTable
    held: Floats
    live: int
    cash: float


def bulk_market(markets: Sequence[SymbolMarket], rules: TradingRules, span: Span) -> Market:
    """Return the symbols in the order of their names, with the candles that close after the span's begin.

    Each has the candle before as well, which tells how old its price was until the next one closed.
    """
    ordered = sorted(markets, key=lambda each: each.instrument.symbol)
    begins = [max(each.candles.index_from(span.first + 1) - 1, 0) for each in ordered]
    counts = [len(each.candles) - begin for each, begin in zip(ordered, begins, strict=True)]
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    bars, closes = np.empty((int(offsets[-1]), len(BAR_COLUMNS))), np.empty(int(offsets[-1]), dtype=np.int64)
    for each, begin, start, end in zip(ordered, begins, offsets[:-1], offsets[1:], strict=True):
        closes[start:end] = each.candles.closes[begin:]
        for column, name in enumerate(BAR_COLUMNS):
            bars[start:end, column] = getattr(each.candles.bars, name)[begin:]
    valid = rules.paper.execution.entry_valid_bars
    first_hour, count = hours_of(span, rules.risk.limits.cluster_hours)
    hours = np.empty((len(ordered), 0))
    if rules.risk.limits.max_cluster_exposure is not None:
        hours = np.stack([symbol_hours(each, first_hour, count) for each in ordered])
    return Market(
        symbols=np.array(
            [
                (
                    float(each.instrument.lot_step),
                    float(each.instrument.min_notional),
                    float(valid * each.instrument.base_timeframe.seconds),
                    float(each.instrument.base_timeframe.seconds),
                )
                for each in ordered
            ]
        ),
        bars=bars,
        closes=closes,
        offsets=offsets,
        hours=hours,
        first_hour=np.array([first_hour], dtype=np.int64),
    )


def limits_of(rules: TradingRules) -> Floats:
    """Return the limits as bulk trading reads them."""
    return np.array(rules.numbers())


def trade_in_bulk(plan: BacktestPlan, market: Market, signals: SignalTable, trade_all: TradeAll) -> Traded:
    """Trade the signals with `trade_all`, compiled or plain."""
    plans, rules = signals.plans, plan.trading
    room = max(len(signals), 64) * FILLS_A_SIGNAL
    while True:
        work = new_desk(
            rules.risk.limits.max_open_positions,
            plans.ladders.shape[1],
            len(market.symbols),
            rules.paper.account.start_cash,
            len(signals),
        )
        record = new_record(len(signals), room)
        filled = trade_all(
            plans, market, work, limits_of(rules), np.array(rules.paper.execution.numbers()), plan.span.end, record
        )
        if filled >= 0:
            break
        room *= 4
    fills = fill_table(record.fills[:filled])
    ends = ends_by_signal(record.ends[: work.counters[desk.ENDED]], still_live(work), len(signals))
    live = ends[:, desk.END_LIVE] == 1.0
    return Traded(
        verdicts=record.verdicts,
        fills=fills,
        trades=trade_table(fills, ends),
        held=np.where(live, ends[:, desk.END_HELD], 0.0),
        live=int(np.count_nonzero(live & (ends[:, desk.END_HELD] > 0.0))),
        cash=float(work.sums[desk.SUM_CASH]),
    )


def hours_of(span: Span, back: int) -> tuple[int, int]:
    """Return the first hour (since 1970) and the number of hours that count for the decisions of a span."""
    first = span.first // HOUR_SECONDS - back - 1
    return first, span.end // HOUR_SECONDS - first + 1


def symbol_hours(market: SymbolMarket, first: int, count: int) -> Floats:
    """Return a symbol's hourly closes (count,) from hour `first` on; NaN where it has none."""
    closes = np.full(count, np.nan)
    at = market.context.ts // HOUR_SECONDS + 1 - first
    kept = (at >= 0) & (at < count)
    closes[at[kept]] = market.context.close[kept]
    return closes


def ends_by_signal(ended: Floats, live: Floats, signals: int) -> Floats:
    """Return the rows of both by their signal (signals, END_SIZE), NaN where a signal's trade bought nothing."""
    ends = np.full((signals, desk.END_SIZE), np.nan)
    for rows in (ended, live):
        ends[rows[:, desk.END_SIGNAL].astype(np.int64)] = rows
    return ends


def ledger_signals(plan: BacktestPlan, looks: Sequence[Looks], markets: Sequence[SymbolMarket]) -> list[Signal]:
    """Return the signals as the database would hold them, numbered in the order in which they are acted on."""
    # TA-Lib comes with it, which bulk trading can spare.
    from tracker.quant.backtest.looks import signals_in

    names = {each.instrument.symbol_id: each.instrument.symbol for each in markets}
    series = {each.instrument.symbol_id: each.candles for each in markets}
    found = [each for look in looks for each in signals_in(look, plan.rule, plan.config_hash)]
    found.sort(key=lambda each: (each.decided_at, names[each.symbol_id], each.strategy))
    return [
        replace(each, signal_id=number, priced_at=series[each.symbol_id].last_close(seconds_of(each.decided_at)))
        for number, each in enumerate(found, start=1)
    ]


def trade_in_ledger(
    trading: TradingRules, rules_hash: str, span: Span, markets: Sequence[SymbolMarket], signals: Sequence[Signal]
) -> Walk:
    """Trade the signals with the paper trader's own book, in decimals, and return the walk through it.

    `signals` in the order in which to act on them. Raises InputError where a symbol of a signal has no market.
    """
    series = {each.instrument.symbol_id: each.candles for each in markets}
    strange = {each.symbol_id for each in signals} - series.keys()
    if strange:
        raise InputError(f"symbol {min(strange)} has signals but no candles")
    engine = new_ledger(trading, rules_hash, span.first, [each.instrument for each in markets], signals)
    if trading.risk.limits.max_cluster_exposure is not None:
        first, count = hours_of(span, trading.risk.limits.cluster_hours)
        rows = {each.instrument.symbol_id: symbol_hours(each, first, count) for each in markets}
        engine.load_hours(HourlyCloses(first, rows))
    walk = Walk(engine, series)
    walk.run(span.first, span.end)
    return walk


def new_ledger(
    trading: TradingRules, rules_hash: str, first: int, instruments: Iterable[Instrument], signals: Sequence[Signal]
) -> Engine:
    """Return an engine with an account opened at `first`, Unix seconds, that will act on the signals in their order."""
    params = trading.paper.account
    cash = decimal_of(params.start_cash)
    account = Account(
        account=params.name, currency=params.currency, start_cash=cash, opened_at=moment_of(first), cash=cash
    )
    return Engine(Book(account, (), (), active(instruments)), trading, rules_hash, signals)


def active(instruments: Iterable[Instrument]) -> list[Instrument]:
    """Return instruments as they count in the past, of which it is not known when one was halted: none was."""
    return [replace(each, status=InstrumentStatus.ACTIVE) for each in instruments]

"""A backtest: the scanner's looks, then the paper trader's book, over a span of the past."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tracker.domain.account import Account
from tracker.domain.fill import Fill
from tracker.domain.money import decimal_of
from tracker.domain.order import Order
from tracker.domain.position import Position
from tracker.domain.signal import Signal
from tracker.domain.timeframe import Timeframe
from tracker.domain.trade import ClosedTrade
from tracker.quant.backtest.equity import EquityCurve, equity_curve
from tracker.quant.backtest.looks import Looks, look_at, signals_in
from tracker.quant.backtest.market import Span, SymbolMarket
from tracker.quant.paper import TradingRules
from tracker.quant.portfolio.book import Book, moment_of
from tracker.quant.portfolio.engine import Engine
from tracker.quant.portfolio.walk import Walk
from tracker.quant.strategies.base import StrategyRule

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestPlan:
    """What to try: a rule with its parameters, the rules of trading, and when."""

    rule: StrategyRule[Any]
    params: Any
    config_hash: str
    timeframe: Timeframe
    trading: TradingRules
    rules_hash: str
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestResult:
    """What came of it; fills, orders and trades are those that the paper trader would have written.

    `positions` are the trades still live at the end.
    """

    plan: BacktestPlan
    looks: Sequence[Looks]
    signals: Sequence[Signal]
    account: Account
    orders: Sequence[Order]
    fills: Sequence[Fill]
    trades: Sequence[ClosedTrade]
    positions: Sequence[Position]
    curve: EquityCurve


def run_backtest(
    plan: BacktestPlan, markets: Sequence[SymbolMarket], progress: Progress | None = None
) -> BacktestResult:
    """Run a plan over the symbols' past; the same bars and plan give the same result.

    `progress` is told of each part ('looks', 'trades') how much of it is done, 0 to 1. Raises InputError on bars
    that no indicator can take.
    """
    looks: list[Looks] = []
    for number, each in enumerate(look_at(markets, plan.rule, plan.params, plan.timeframe, plan.span), start=1):
        looks.append(each)
        if progress is not None:
            progress("looks", number / len(markets))
    signals = _in_order([each for look in looks for each in signals_in(look, plan.rule, plan.config_hash)], markets)
    return trade_signals(plan, markets, looks, signals, progress)


def trade_signals(
    plan: BacktestPlan,
    markets: Sequence[SymbolMarket],
    looks: Sequence[Looks],
    signals: Sequence[Signal],
    progress: Progress | None = None,
) -> BacktestResult:
    """Trade signals, in the order in which the paper trader acts on them, over the plan's span."""
    book = Book(_account(plan), (), (), [each.instrument for each in markets])
    series = {each.instrument.symbol_id: each.candles for each in markets}
    walk = Walk(Engine(book, plan.trading, plan.rules_hash, signals), series)
    span = plan.span
    walk.run(
        span.first,
        span.end,
        None if progress is None else lambda at: progress("trades", (at - span.first) / (span.end - span.first)),
    )
    step = plan.timeframe.seconds
    moments = np.arange(span.first - span.first % step, span.end + 1, step, dtype=np.int64)
    changes = book.changes()
    return BacktestResult(
        plan=plan,
        looks=looks,
        signals=signals,
        account=book.account,
        orders=changes.new_orders,
        fills=book.fills,
        trades=book.trades,
        positions=[each.settle() for each in book.live],
        curve=equity_curve(
            plan.trading.paper.account.start_cash, book.fills, walk.fill_closes, series, moments[moments >= span.first]
        ),
    )


def _in_order(signals: list[Signal], markets: Sequence[SymbolMarket]) -> list[Signal]:
    names = {each.instrument.symbol_id: each.instrument.symbol for each in markets}
    ordered = sorted(signals, key=lambda each: (each.decided_at, names[each.symbol_id], each.strategy))
    # A number, as the database would give it, so that trades can be traced to their signals.
    return [replace(each, signal_id=number) for number, each in enumerate(ordered, start=1)]


def _account(plan: BacktestPlan) -> Account:
    params = plan.trading.paper.account
    cash = decimal_of(params.start_cash)
    return Account(
        account=params.name, currency=params.currency, start_cash=cash, opened_at=moment_of(plan.span.first), cash=cash
    )

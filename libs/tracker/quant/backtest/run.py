"""A backtest: the scanner's looks, then the paper trader's rules, over a span of the past."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tracker.quant.backtest.equity import EquityCurve, equity_curve
from tracker.quant.backtest.looks import Looks, look_at
from tracker.quant.backtest.market import SymbolMarket
from tracker.quant.backtest.plan import BacktestPlan
from tracker.quant.backtest.signals import SignalTable, signal_table
from tracker.quant.backtest.trading import TradeAll, Traded, bulk_market, trade_in_bulk

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestResult:
    """What came of a plan; `looks` and the rows of `signals.market` follow the order of the markets."""

    plan: BacktestPlan
    looks: Sequence[Looks]
    signals: SignalTable
    traded: Traded
    curve: EquityCurve


def run_backtest(
    plan: BacktestPlan, markets: Sequence[SymbolMarket], trade_all: TradeAll, progress: Progress | None = None
) -> BacktestResult:
    """Run a plan over the symbols' past; the same bars and plan give the same result.

    `trade_all` is that of `tracker.quant.compiled`, or the plain one of `tracker.quant.bulk.trading` that it is made
    of. `progress` is told of each part ('looks', 'trades') how much of it is done, 0 to 1. Raises InputError on bars
    that no indicator can take.
    """
    looks: list[Looks] = []
    found = look_at(markets, plan.rule, plan.params, plan.timeframe, plan.span, plan.model)
    for number, each in enumerate(found, start=1):
        looks.append(each)
        if progress is not None:
            progress("looks", number / len(markets))
    result = trade_looks(plan, markets, looks, trade_all)
    if progress is not None:
        progress("trades", 1.0)
    return result


def trade_looks(
    plan: BacktestPlan, markets: Sequence[SymbolMarket], looks: Sequence[Looks], trade_all: TradeAll
) -> BacktestResult:
    """Trade what the looks propose; `looks` is one a market."""
    signals = signal_table(looks, markets)
    traded = trade_in_bulk(plan, bulk_market(markets, plan.trading, plan.span), signals, trade_all)
    span, step = plan.span, plan.timeframe.seconds
    moments = np.arange(span.first + -span.first % step, span.end + 1, step, dtype=np.int64)
    curve = equity_curve(
        plan.trading.paper.account.start_cash,
        traded.fills,
        signals.market[traded.fills.signal],
        [each.candles for each in markets],
        moments,
    )
    return BacktestResult(plan=plan, looks=looks, signals=signals, traded=traded, curve=curve)

"""The same number of trades with the same exits, entered at random: what the choice of entries is worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracker.quant.backtest.market import SymbolMarket
from tracker.quant.backtest.run import BacktestResult
from tracker.quant.backtest.signals import SignalTable
from tracker.quant.bars import Floats
from tracker.quant.bulk.desk import (
    PLAN_BREAK_EVEN,
    PLAN_ENTRY,
    PLAN_EXPIRES_AT,
    PLAN_FRACTION,
    PLAN_STOP,
    PLAN_TARGET,
    PLAN_TRAIL,
)
from tracker.quant.execution import ExecutionParams, volume_budget, walk_bar
from tracker.quant.metrics import average_trade, random_entry_p_value
from tracker.quant.portfolio.series import CandleSeries, next_event, observe_stretch
from tracker.quant.trade import Execution, Rung, Trade

# Fine enough that rounding to lots moves no return.
STEP = 1e-9


def random_entry_p(
    result: BacktestResult,
    markets: Sequence[SymbolMarket],
    *,
    entries: int = 2_000,
    samples: int = 2_000,
    seed: int = 1,
) -> float:
    """Return the p-value of the mean net return a trade against random entries; NaN without trades.

    `entries` random moments of random symbols are entered with the plan (stop, target, ladder, trail and time-out as
    shares of the price, and the money) of a random trade of the backtest; `samples` draws of as many of them as the
    backtest made give the distribution. The same seed gives the same answer.
    """
    trades = result.traded.trades
    if len(trades) == 0:
        return float("nan")
    pool = _pool(result, markets, entries, np.random.default_rng(seed))
    if pool.size == 0:
        return 1.0
    rng = np.random.default_rng([seed, 1])
    count = len(trades)
    means = np.array([pool[rng.integers(0, pool.size, count)].mean() for _ in range(samples)])
    return random_entry_p_value(average_trade(trades.returns), means)


def _pool(result: BacktestResult, markets: Sequence[SymbolMarket], entries: int, rng: np.random.Generator) -> Floats:
    trades = result.traded.trades
    money = trades.entry_price * trades.quantity
    rules = result.plan.trading.paper.execution
    seconds = result.plan.timeframe.seconds
    starts = [
        np.flatnonzero(
            (each.decision.ts + seconds > result.plan.span.first) & (each.decision.ts + seconds < result.plan.span.end)
        )
        for each in markets
    ]
    listed = [number for number, each in enumerate(starts) if each.size]
    outcomes: list[float] = []
    for _ in range(entries if listed else 0):
        number = listed[int(rng.integers(len(listed)))]
        market, rows = markets[number], starts[number]
        row = int(rows[rng.integers(rows.size)])
        chosen = int(rng.integers(len(trades)))
        decided_at = int(market.decision.ts[row]) + seconds
        price = float(market.decision.close[row])
        trade = transplanted(
            result.signals, int(trades.signal[chosen]), price, decided_at, float(money[chosen]), market, rules
        )
        outcome = net_return(trade, market.candles, rules)
        if outcome is not None:
            outcomes.append(outcome)
    return np.array(outcomes)


def transplanted(
    signals: SignalTable,
    signal: int,
    price: float,
    decided_at: int,
    money: float,
    market: SymbolMarket,
    rules: ExecutionParams,
) -> Trade:
    """Return the trade that a signal would be at another price and time; `money` is what it buys for in all."""
    plan = signals.plans.plans[signal]
    scale = price / float(plan[PLAN_ENTRY])
    rungs = np.isfinite(signals.plans.ladders[signal])
    levels = [price, *(signals.plans.ladders[signal][rungs] * scale).tolist()]
    weights = signals.plans.weights[signal][np.concatenate(([True], rungs))].tolist()
    quantity = money / sum(level * weight for level, weight in zip(levels, weights, strict=True))
    fraction = float(plan[PLAN_FRACTION])
    return Trade(
        step=STEP,
        opens_from=decided_at,
        entry_until=decided_at + rules.entry_valid_bars * market.instrument.base_timeframe.seconds,
        expires_at=decided_at + int(plan[PLAN_EXPIRES_AT]) - int(signals.decided_at[signal]),
        entry_rest=quantity * weights[0],
        stop=float(plan[PLAN_STOP]) * scale,
        target=float(plan[PLAN_TARGET]) * scale,
        target_fraction=None if np.isnan(fraction) else fraction,
        trail_distance=float(plan[PLAN_TRAIL]) * scale,
        break_even_distance=float(plan[PLAN_BREAK_EVEN]) * scale,
        break_even_cost=rules.round_trip_cost(),
        rungs=[Rung(level, quantity * weight) for level, weight in zip(levels[1:], weights[1:], strict=True)],
    )


def net_return(trade: Trade, series: CandleSeries, rules: ExecutionParams) -> float | None:
    """Walk a trade alone to its end and return its profit after fees over its cost.

    None where nothing was bought or the bars end first: an unfinished trade has no return yet.
    """
    fills: list[Execution] = []
    at = series.index_from(trade.opens_from + 1)
    while at < len(series) and not trade.done:
        news = next_event(trade, series, at)
        if news > at:
            observe_stretch(trade, series, at, news)
            at = news
        if at < len(series):
            candle = series[int(series.closes[at])]
            fills += walk_bar(trade, candle, rules, volume_budget(candle, rules))
            at += 1
    if not trade.done or trade.bought == 0.0:
        return None
    flow = 0.0
    for each in fills:
        value = each.price * each.quantity
        fee = value * rules.fee_rate(maker=each.maker)
        flow += (value if each.reason is not None else -value) - fee
    return flow / trade.cost

"""The same number of trades with the same exits, entered at random: what the choice of entries is worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tracker.domain.signal import Signal
from tracker.quant.backtest.market import SymbolMarket
from tracker.quant.backtest.run import BacktestResult
from tracker.quant.bars import Floats
from tracker.quant.execution import ExecutionParams, volume_budget, walk_bar
from tracker.quant.metrics import average_trade, random_entry_p_value
from tracker.quant.portfolio.book import seconds_of
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
    if not result.trades:
        return float("nan")
    pool = _pool(result, markets, entries, np.random.default_rng(seed))
    if pool.size == 0:
        return 1.0
    rng = np.random.default_rng([seed, 1])
    count = len(result.trades)
    means = np.array([pool[rng.integers(0, pool.size, count)].mean() for _ in range(samples)])
    observed = average_trade([float(each.pnl / (each.entry_price * each.quantity)) for each in result.trades])
    return random_entry_p_value(observed, means)


def _pool(result: BacktestResult, markets: Sequence[SymbolMarket], entries: int, rng: np.random.Generator) -> Floats:
    signals = {each.signal_id: each for each in result.signals}
    plans = [(signals[each.signal_id or 0], float(each.entry_price * each.quantity)) for each in result.trades]
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
        signal, money = plans[int(rng.integers(len(plans)))]
        decided_at = int(market.decision.ts[row]) + seconds
        trade = transplanted(signal, float(market.decision.close[row]), decided_at, money, market, rules)
        outcome = net_return(trade, market.candles, rules)
        if outcome is not None:
            outcomes.append(outcome)
    return np.array(outcomes)


def transplanted(
    signal: Signal, price: float, decided_at: int, money: float, market: SymbolMarket, rules: ExecutionParams
) -> Trade:
    """Return the trade that a signal would be at another price and time; `money` is what it buys for in all."""
    scale = price / signal.entry
    levels = [price, *(each * scale for each in signal.ladder)]
    average = sum(level * weight for level, weight in zip(levels, signal.size_weights, strict=True))
    quantity = money / average
    life = seconds_of(signal.expires_at) - seconds_of(signal.decided_at)
    return Trade(
        step=STEP,
        opens_from=decided_at,
        entry_until=decided_at + rules.entry_valid_bars * market.instrument.base_timeframe.seconds,
        expires_at=decided_at + life,
        entry_rest=quantity * signal.size_weights[0],
        stop=signal.stop * scale,
        initial_stop=signal.stop * scale,
        target=signal.target * scale,
        target_fraction=signal.target_fraction,
        trail_distance=signal.trail_distance * scale,
        rungs=[
            Rung(level, quantity * weight) for level, weight in zip(levels[1:], signal.size_weights[1:], strict=True)
        ],
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

"""What the closed trades say.

Profit and loss of a trade (`pnls`) is net of fees, in quote currency; a trade that made exactly 0 was neither
won nor lost, but counts as a trade.
"""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from tracker.quant.series import require_not_negative, require_same_length, series_of

__all__ = [
    "average_trade",
    "cost_share",
    "expectancy",
    "profit_factor",
    "system_quality_number",
    "win_rate",
]


def profit_factor(pnls: ArrayLike) -> float:
    """Return what was won over what was lost.

    Formula: sum(pnl > 0) / |sum(pnl < 0)|.
    Unit: a ratio; above 1 is a profit.
    Edges: NaN without a won or lost trade, infinity without a loss, 0 without a win.
    Raises InputError where a value is not finite.
    """
    series = series_of(pnls, "pnls")
    return _ratio(float(series[series > 0].sum()), -float(series[series < 0].sum()))


def expectancy(pnls: ArrayLike) -> tuple[float, float]:
    """Return what a trade makes on average, and how that compares with an average loss.

    Formula: (mean(pnl), mean(pnl) / |mean(pnl < 0)|); the ratio is what is expected for each unit lost in a losing
    trade.
    Unit: (quote currency a trade, a ratio).
    Edges: (NaN, NaN) without trades; without a loss the ratio is infinity, or NaN if nothing was won either.
    Source: Tharp (1998), Trade Your Way to Financial Freedom.
    Raises InputError where a value is not finite.
    """
    series = series_of(pnls, "pnls")
    if series.size == 0:
        return math.nan, math.nan
    value = float(series.mean())
    losses = series[series < 0]
    return value, _ratio(value, -float(losses.mean()) if losses.size else 0.0)


def win_rate(pnls: ArrayLike) -> float:
    """Return the share of trades that made money.

    Formula: count(pnl > 0) / n.
    Unit: fraction of all trades.
    Edges: NaN without trades.
    Raises InputError where a value is not finite.
    """
    series = series_of(pnls, "pnls")
    return float((series > 0).mean()) if series.size else math.nan


def average_trade(trade_returns: ArrayLike) -> float:
    """Return the mean of the trades' returns, each its profit over what it cost to buy.

    Formula: mean(pnl / cost), every trade with the same weight.
    Unit: fraction a trade.
    Edges: NaN without trades.
    Raises InputError where a value is not finite.
    """
    series = series_of(trade_returns, "trade_returns")
    return float(series.mean()) if series.size else math.nan


def system_quality_number(r_multiples: ArrayLike) -> float:
    """Return the SQN: how many standard errors the mean trade lies above 0.

    Formula: sqrt(n) * mean(R) / std(R, ddof=1), R a trade's profit over what was at risk at its entry; n is not
    capped at 100.
    Unit: a number.
    Edges: NaN for fewer than two trades, and where all are equal.
    Source: Tharp (2008), Definitive Guide to Position Sizing.
    Raises InputError where a value is not finite.
    """
    series = series_of(r_multiples, "r_multiples")
    if series.size < 2 or series.min() == series.max():
        return math.nan
    return math.sqrt(series.size) * float(series.mean() / series.std(ddof=1))


def cost_share(costs: ArrayLike, gross_pnls: ArrayLike) -> float:
    """Return how much of what was won before costs the costs took: the share of fees, or that of slippage.

    Formula: sum(cost) / sum(gross pnl > 0), one cost and one profit before all costs a trade.
    Unit: a ratio; above 1 the costs took more than was won.
    Edges: NaN without costs and wins, infinity where there are costs but no wins.
    Raises InputError where a value is not finite, a cost is below 0, or the lengths differ.
    """
    paid, gross = series_of(costs, "costs"), series_of(gross_pnls, "gross_pnls")
    require_same_length(paid, "costs", gross, "gross_pnls")
    require_not_negative(paid, "costs")
    return _ratio(float(paid.sum()), float(gross[gross > 0].sum()))


def _ratio(above: float, below: float) -> float:
    """Return above / below for below >= 0; over 0 it is infinity, or NaN where nothing is above either."""
    if below == 0:
        return math.inf if above > 0 else math.nan
    return above / below

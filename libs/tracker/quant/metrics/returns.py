"""What was earned, and how evenly.

Returns are fractions a period (0.01 is 1%), equity is in quote currency.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from tracker.quant.bars import Floats
from tracker.quant.metrics.drawdown import max_drawdown
from tracker.quant.series import require_above_zero, require_finite, require_positive, series_of

__all__ = [
    "annual_volatility",
    "cagr",
    "calmar_ratio",
    "kurtosis",
    "period_returns",
    "sharpe_ratio",
    "skewness",
    "sortino_ratio",
    "total_return",
]

DAYS_A_YEAR = 365.0
# exp() of more is no float.
LARGEST_EXPONENT = 709.0


def period_returns(equity: ArrayLike) -> Floats:
    """Return what equity gained from each value to the next, (n - 1,).

    Formula: r[t] = equity[t] / equity[t-1] - 1.
    Unit: fraction a period.
    Edges: empty for fewer than two values. Ruin ends trading: after the first equity of 0 or less every return is 0.
    Raises InputError where a value is not finite.
    """
    series = series_of(equity, "equity")
    if series.size < 2:
        return np.empty(0)
    alive = np.minimum.accumulate(series[:-1]) > 0
    returns = np.zeros(series.size - 1)
    return np.divide(np.diff(series), series[:-1], out=returns, where=alive)


def total_return(equity: ArrayLike) -> float:
    """Return the gain from the first to the last equity.

    Formula: equity[-1] / equity[0] - 1.
    Unit: fraction of the first equity.
    Edges: NaN without values, 0 for one value, -1 or less after ruin.
    Raises InputError where a value is not finite or the first is not above 0.
    """
    series = series_of(equity, "equity")
    if series.size == 0:
        return math.nan
    require_above_zero(series[:1], "equity")
    return float(series[-1] / series[0] - 1.0)


def cagr(start: float, end: float, days: float) -> float:
    """Return the compound annual growth rate between two values of equity.

    Formula: (end / start) ^ (365 / days) - 1.
    Unit: fraction a year of 365 days.
    Edges: -1 where `end` is 0 or less (ruin), infinity where the power is no float any more.
    Raises InputError where `start` or `days` is not above 0, or a value not finite.
    """
    require_positive(start=start, days=days)
    require_finite(end=end)
    if end <= 0:
        return -1.0
    exponent = (math.log(end) - math.log(start)) * DAYS_A_YEAR / days
    return math.expm1(exponent) if exponent < LARGEST_EXPONENT else math.inf


def annual_volatility(returns: ArrayLike, periods_per_year: float) -> float:
    """Return the standard deviation of the returns, annualised.

    Formula: std(r, ddof=1) * sqrt(periods_per_year).
    Unit: fraction a year.
    Edges: NaN for fewer than two returns, 0 where all are equal.
    Raises InputError where a return is not finite or `periods_per_year` is not above 0.
    """
    series = _returns_of(returns, periods_per_year)
    if series.size < 2:
        return math.nan
    return 0.0 if _is_constant(series) else float(series.std(ddof=1)) * math.sqrt(periods_per_year)


def sharpe_ratio(returns: ArrayLike, periods_per_year: float) -> float:
    """Return the mean return over its standard deviation, annualised; the risk-free rate is 0.

    Formula: mean(r) / std(r, ddof=1) * sqrt(periods_per_year); periods_per_year 1 gives the Sharpe per period.
    Unit: a ratio a year; crypto trades 365 days, so daily returns have 365 periods.
    Edges: NaN for fewer than two returns, and where all are equal (zero variance).
    Source: Sharpe (1994), The Sharpe Ratio.
    Raises InputError where a return is not finite or `periods_per_year` is not above 0.
    """
    series = _returns_of(returns, periods_per_year)
    if series.size < 2 or _is_constant(series):
        return math.nan
    return float(series.mean() / series.std(ddof=1)) * math.sqrt(periods_per_year)


def sortino_ratio(returns: ArrayLike, periods_per_year: float, *, target: float = 0.0) -> float:
    """Return the mean excess over the target return a period over the downside deviation, annualised.

    Formula: (mean(r) - target) / sqrt(sum(min(r - target, 0)^2) / n) * sqrt(periods_per_year); n counts all
    returns, not only those below the target.
    Unit: a ratio a year.
    Edges: NaN for fewer than two returns; with no return below the target infinity, or NaN if none is above it either.
    Source: Sortino and Price (1994), Performance Measurement in a Downside Risk Framework.
    Raises InputError where a return or the target is not finite or `periods_per_year` is not above 0.
    """
    require_finite(target=target)
    excess = _returns_of(returns, periods_per_year) - target
    if excess.size < 2:
        return math.nan
    downside = math.sqrt(float(np.mean(np.minimum(excess, 0.0) ** 2)))
    mean = float(excess.mean())
    if downside == 0:
        return math.inf if mean > 0 else math.nan
    return mean / downside * math.sqrt(periods_per_year)


def calmar_ratio(equity: ArrayLike, days: float) -> float:
    """Return the compound annual growth rate over the largest relative drawdown, over the whole span.

    Formula: cagr(equity[0], equity[-1], days) / max_drawdown(equity)[1].
    Unit: a ratio a year.
    Edges: NaN without values; without a drawdown infinity, or NaN if nothing was gained.
    Source: Young (1991), Calmar Ratio: A Smoother Tool, which looks at the last 36 months.
    Raises InputError where a value is not finite, or the first equity or `days` is not above 0.
    """
    series = series_of(equity, "equity")
    if series.size == 0:
        return math.nan
    growth = cagr(float(series[0]), float(series[-1]), days)
    depth = max_drawdown(series)[1]
    if depth == 0:
        return math.inf if growth > 0 else math.nan
    return growth / depth


def skewness(returns: ArrayLike) -> float:
    """Return the third standardised moment of the sample; below 0 the left tail is the longer.

    Formula: m3 / m2^1.5, mk = mean((r - mean(r))^k), without correction for the size of the sample.
    Unit: a number, 0 for a normal distribution.
    Edges: NaN for fewer than two returns, and where all are equal.
    Raises InputError where a return is not finite.
    """
    return _standardised_moment(returns, 3)


def kurtosis(returns: ArrayLike) -> float:
    """Return the fourth standardised moment of the sample, not the excess over the normal one.

    Formula: m4 / m2^2, mk = mean((r - mean(r))^k), without correction for the size of the sample.
    Unit: a number, 3 for a normal distribution.
    Edges: NaN for fewer than two returns, and where all are equal.
    Raises InputError where a return is not finite.
    """
    return _standardised_moment(returns, 4)


def _returns_of(returns: ArrayLike, periods_per_year: float) -> Floats:
    require_positive(periods_per_year=periods_per_year)
    return series_of(returns, "returns")


def _standardised_moment(returns: ArrayLike, order: int) -> float:
    series = series_of(returns, "returns")
    if series.size < 2 or _is_constant(series):
        return math.nan
    deviation: Floats = series - series.mean()
    # Scaled first: the powers of small returns would lose their digits.
    scaled: Floats = deviation / math.sqrt(float(np.mean(deviation**2)))
    return float(np.mean(scaled**order))


def _is_constant(series: Floats) -> bool:
    # The standard deviation of equal values is not exactly 0 in floats.
    return bool(series.min() == series.max())

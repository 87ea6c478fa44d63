"""What the variations came to in a window of time, and what choosing the best of so many is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tracker.domain.errors import InputError
from tracker.quant.bars import Bools, Floats, Ints
from tracker.quant.overfitting import expected_maximum_sharpe, probabilistic_sharpe_ratio

# Floats, or whatever they are stored as: what is worked out is float64.
Reals: TypeAlias = NDArray[Any]

DAY = 86_400
HOURS_A_YEAR = 24 * 365
RESAMPLES = 1_000
CONFIDENCE = 0.95
# Fewer blocks of time than this say nothing about how their mean spreads.
FEWEST_BLOCKS = 5
# Variations whose figures are worked out at once: all of them together would take hundreds of megabytes.
AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A window that ends now: `seconds` None for all of the past; resampled in blocks of `block` seconds."""

    name: str
    seconds: int | None
    block: int


# A day is too short for blocks of a day; trades of the longer windows last up to two.
SPANS = (
    Span(name="1d", seconds=DAY, block=10_800),
    Span(name="7d", seconds=7 * DAY, block=DAY),
    Span(name="30d", seconds=30 * DAY, block=DAY),
    Span(name="all", seconds=None, block=DAY),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns:
    """What V accounts did in P periods, oldest first: all (P, V), NaN before an account was opened.

    `ends_at` int64 (P,) Unix seconds, `seconds` the length of a period; `trades` closed in it and `trade_returns` the
    sum of their returns.
    """

    ends_at: Ints
    seconds: int
    returns: Reals
    trades: Reals
    trade_returns: Reals

    def after(self, moment: int) -> Returns:
        """Return the periods that end after a moment."""
        begin = int(np.searchsorted(self.ends_at, moment, side="right"))
        return Returns(
            ends_at=self.ends_at[begin:],
            seconds=self.seconds,
            returns=self.returns[begin:],
            trades=self.trades[begin:],
            trade_returns=self.trade_returns[begin:],
        )

    def of(self, variations: Ints) -> Returns:
        """Return some of the variations."""
        return replace(
            self,
            returns=self.returns[:, variations],
            trades=self.trades[:, variations],
            trade_returns=self.trade_returns[:, variations],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Of V variations, columns (V,), NaN where a figure is not defined.

    `hours` lived in the window; `sharpe` a year; `psr` the probability of a true Sharpe ratio above 0, `dsr` that of
    one above what the best of all would have by luck; `lower_bound` of the mean trade return, one-sided.
    """

    hours: Floats
    trades: Ints
    total_return: Floats
    sharpe: Floats
    psr: Floats
    dsr: Floats
    max_drawdown: Floats
    p_value: Floats
    mean_trade_return: Floats
    lower_bound: Floats
    first_half_return: Floats
    second_half_return: Floats


def outcomes(returns: Returns, block: int, trials: int, seed: int) -> Outcomes:
    """Return the outcomes of a window.

    `trials` is how many variations were ever tried; `block` seconds of time are resampled as one; the same seed gives
    the same bounds. The benchmark of `dsr` supposes that the trials' Sharpe ratios spread at least as much as chance
    alone makes them: variations that resemble each other spread less, without being less subject to it.
    """
    figures = [
        _figures(returns.of(np.arange(begin, min(begin + AT_ONCE, returns.returns.shape[1]))), block, seed)
        for begin in range(0, returns.returns.shape[1], AT_ONCE)
    ]
    columns: dict[str, Any] = {name: np.concatenate([each[name] for each in figures]) for name in figures[0]}
    moments = tuple(columns.pop(name) for name in ("ratio", "skewness", "kurtosis"))
    count = columns.pop("count")
    psr, dsr = _significance((moments[0], moments[1], moments[2]), count, trials)
    return Outcomes(
        **columns,
        hours=count * returns.seconds / 3_600,
        sharpe=moments[0] * math.sqrt(HOURS_A_YEAR * 3_600 / returns.seconds),
        psr=psr,
        dsr=dsr,
    )


def _figures(returns: Returns, block: int, seed: int) -> dict[str, Any]:
    """Return what can be said of some variations without the others."""
    known = np.isfinite(returns.returns)
    value = np.where(known, returns.returns.astype(np.float64), 0.0)
    count = known.sum(axis=0).astype(np.float64)
    ratio, skewness, kurtosis = _moments(value, known, count)
    trades = np.where(known, returns.trades.astype(np.float64), 0.0)
    sums = np.where(known, returns.trade_returns.astype(np.float64), 0.0)
    traded = trades.sum(axis=0)
    lower, chance = _resampled(returns.ends_at, trades, sums, block, seed)
    equity: Floats = np.cumprod(1.0 + value, axis=0, dtype=np.float64)
    first, second = _halves(equity, known)
    return {
        "count": count,
        "ratio": ratio,
        "skewness": skewness,
        "kurtosis": kurtosis,
        "trades": traded.astype(np.int64),
        "total_return": _last(equity) - 1.0,
        "max_drawdown": _drawdown(equity),
        "p_value": chance,
        "mean_trade_return": np.divide(sums.sum(axis=0), traded, out=np.full(len(traded), np.nan), where=traded > 0),
        "lower_bound": lower,
        "first_half_return": first,
        "second_half_return": second,
    }


def _moments(value: Floats, known: Bools, count: Floats) -> tuple[Floats, Floats, Floats]:
    """Return Sharpe ratio a period, skewness and kurtosis (V,); NaN where nothing moved or fewer than two are known."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = value.sum(axis=0) / count
        off = np.where(known, value - mean, 0.0)
        square = off * off
        variance = square.sum(axis=0) / count
        highest = np.max(np.where(known, value, -np.inf), axis=0, initial=-np.inf)
        lowest = np.min(np.where(known, value, np.inf), axis=0, initial=np.inf)
        # Of equal values the variance may still be a crumb of float arithmetic.
        moving = (count >= 2) & (highest > lowest)
        sharpe = mean / np.sqrt(square.sum(axis=0) / (count - 1.0))
        skewness = (square * off).sum(axis=0) / count / variance**1.5
        kurtosis = (square * square).sum(axis=0) / count / variance**2
    return tuple(np.where(moving, each, np.nan) for each in (sharpe, skewness, kurtosis))  # type: ignore[return-value]


def _significance(moments: tuple[Floats, Floats, Floats], count: Floats, trials: int) -> tuple[Floats, Floats]:
    sharpe, skewness, kurtosis = moments
    psr, dsr = np.full(len(sharpe), np.nan), np.full(len(sharpe), np.nan)
    moving = np.flatnonzero(np.isfinite(sharpe))
    spread = float(np.var(sharpe[moving], ddof=1)) if moving.size >= 2 else 0.0
    for place in moving.tolist():
        n = float(count[place])
        luck = expected_maximum_sharpe(max(spread, 1.0 / (n - 1.0)), trials) if trials >= 2 else 0.0
        for into, benchmark in ((psr, 0.0), (dsr, luck)):
            try:
                into[place] = probabilistic_sharpe_ratio(
                    float(sharpe[place]), benchmark, n, float(skewness[place]), float(kurtosis[place])
                )
            except InputError:
                # Two values in all, such as one trade among idle hours: no distribution to judge by.
                into[place] = np.nan
    return psr, dsr


def _resampled(ends_at: Ints, trades: Floats, sums: Floats, block: int, seed: int) -> tuple[Floats, Floats]:
    """Return a lower bound of the mean trade return, and how often it is 0 or less, over resampled blocks of time."""
    variations = trades.shape[1]
    bound, chance = np.full(variations, np.nan), np.full(variations, np.nan)
    if len(ends_at) == 0:
        return bound, chance
    blocks = (ends_at - 1) // block
    begins = np.flatnonzero(np.concatenate(([True], blocks[1:] != blocks[:-1])))
    counts, totals = np.add.reduceat(trades, begins, axis=0), np.add.reduceat(sums, begins, axis=0)
    enough = np.flatnonzero(np.count_nonzero(counts, axis=0) >= FEWEST_BLOCKS)
    rng = np.random.default_rng(seed)
    size = len(begins)
    weights = rng.multinomial(size, np.full(size, 1.0 / size), RESAMPLES).astype(np.float64)
    number, total = weights @ counts[:, enough], weights @ totals[:, enough]
    # A resample without a trade has earned nothing.
    means = np.divide(total, number, out=np.zeros_like(total), where=number > 0.0)
    if enough.size:
        bound[enough] = np.quantile(means, 1.0 - CONFIDENCE, axis=0)
        chance[enough] = (np.count_nonzero(means <= 0.0, axis=0) + 1.0) / (RESAMPLES + 1.0)
    return bound, chance


def _last(equity: Floats) -> Floats:
    last = np.ones(int(equity.shape[1]))
    if len(equity):
        last[:] = equity[-1]
    return last


def _drawdown(equity: Floats) -> Floats:
    """Return the largest fall from a peak as a share of it, 0 or more."""
    if len(equity) == 0:
        return np.zeros(int(equity.shape[1]))
    peak: Any = np.maximum.accumulate(equity, axis=0)
    fallen: Any = 1.0 - equity / np.maximum(peak, 1.0)
    return np.array([float(each) for each in fallen.max(axis=0)])


def _halves(equity: Floats, known: Bools) -> tuple[Floats, Floats]:
    """Return what the first and the second half of the known periods returned."""
    periods, variations = len(equity), int(equity.shape[1])
    if periods == 0:
        return np.zeros(variations), np.zeros(variations)
    lived: Any = known.sum(axis=0)
    # The accounts live from some period on: the middle of what is known of each.
    middle: Any = np.clip(periods - lived + lived // 2 - 1, -1, periods - 1)
    first = np.ones(variations)
    first[middle >= 0] = equity[middle[middle >= 0], np.flatnonzero(middle >= 0)]
    second = np.divide(_last(equity), first, out=np.ones(variations), where=first > 0.0)
    return first - 1.0, second - 1.0


def returns_of(periods: Sequence[Any], seconds: int) -> Returns:
    """Return what an engine's periods hold, oldest first."""
    return Returns(
        ends_at=np.array([each.ends_at for each in periods], dtype=np.int64),
        seconds=seconds,
        returns=np.array([each.returns for each in periods]),
        trades=np.array([each.trades for each in periods]),
        trade_returns=np.array([each.trade_returns for each in periods]),
    )

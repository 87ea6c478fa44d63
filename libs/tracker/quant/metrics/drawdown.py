"""How far equity fell below what it had been, and for how long.

The peak is the highest equity so far, the first value included; equity is in quote currency.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tracker.quant.bars import Floats, Ints
from tracker.quant.series import require_above_zero, series_of

__all__ = [
    "Drawdown",
    "drawdown_curve",
    "largest_drawdowns",
    "max_drawdown",
    "max_drawdown_duration",
    "time_under_water",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdown:
    """One fall from a peak: quote currency, fraction of the peak, and the two indices into equity."""

    amount: float
    fraction: float
    peak: int
    trough: int


def drawdown_curve(equity: ArrayLike) -> Floats:
    """Return how far each equity lies below the peak, (n,).

    Formula: d[t] = (peak[t] - equity[t]) / peak[t], peak[t] = max(equity[0..t]).
    Unit: fraction of the peak, 0 or more; above 1 where equity is below 0.
    Edges: empty without values.
    Raises InputError where a value is not finite or the first is not above 0.
    """
    series, peaks = _with_peaks(equity)
    return (peaks - series) / peaks


def max_drawdown(equity: ArrayLike) -> tuple[float, float]:
    """Return the largest absolute and the largest relative drawdown; they may be of different moments.

    Formula: (max(peak[t] - equity[t]), max((peak[t] - equity[t]) / peak[t])).
    Unit: (quote currency, fraction of the peak), both 0 or more. Equity 1000, 500, 1000, 11000, 10000 gives
    (1000, 0.5): 1000 were lost from 11000, which is 9.09%, and 50% from 1000, which is 500.
    Edges: (NaN, NaN) without values, (0, 0) for one value, a fraction of 1 or more after ruin.
    Raises InputError where a value is not finite or the first is not above 0.
    """
    found = largest_drawdowns(equity)
    return (math.nan, math.nan) if found is None else (found[0].amount, found[1].fraction)


def largest_drawdowns(equity: ArrayLike) -> tuple[Drawdown, Drawdown] | None:
    """Return the two drawdowns behind max_drawdown, each with its amount, its fraction and its place.

    Formula: the first maximum of peak[t] - equity[t], and the first of (peak[t] - equity[t]) / peak[t].
    Unit: quote currency and fraction of the peak.
    Edges: None without values; without a drawdown amount and fraction are 0, peak and trough the first value.
    Raises InputError where a value is not finite or the first is not above 0.
    """
    series, peaks = _with_peaks(equity)
    if series.size == 0:
        return None
    falls = peaks - series
    troughs = (int(np.argmax(falls)), int(np.argmax(falls / peaks)))
    absolute, relative = (
        Drawdown(
            amount=float(falls[trough]),
            fraction=float(falls[trough] / peaks[trough]),
            peak=int(np.argmax(series[: trough + 1])),
            trough=trough,
        )
        for trough in troughs
    )
    return absolute, relative


def max_drawdown_duration(equity: ArrayLike) -> int:
    """Return the longest time from a peak until equity is back at it.

    Formula: the largest distance between the last bar at a peak and the next bar at or above it, where at least
    one bar lies below; a drawdown that has not ended counts up to the last bar.
    Unit: bars (the steps of the equity).
    Edges: 0 without values and without a drawdown.
    Raises InputError where a value is not finite or the first is not above 0.
    """
    at_peak, size = _bars_at_peak(equity)
    if size == 0:
        return 0
    distances = np.diff(at_peak)
    closed = int(distances[distances > 1].max(initial=0))
    return max(closed, size - 1 - int(at_peak[-1]))


def time_under_water(equity: ArrayLike) -> float:
    """Return the share of bars whose equity is below the peak.

    Formula: count(equity[t] < peak[t]) / n.
    Unit: fraction of the bars.
    Edges: NaN without values.
    Raises InputError where a value is not finite or the first is not above 0.
    """
    at_peak, size = _bars_at_peak(equity)
    return 1.0 - at_peak.size / size if size else math.nan


def _with_peaks(equity: ArrayLike) -> tuple[Floats, Floats]:
    series = series_of(equity, "equity")
    require_above_zero(series[:1], "equity")
    return series, np.maximum.accumulate(series)


def _bars_at_peak(equity: ArrayLike) -> tuple[Ints, int]:
    series, peaks = _with_peaks(equity)
    return np.flatnonzero(series == peaks).astype(np.int64), series.size

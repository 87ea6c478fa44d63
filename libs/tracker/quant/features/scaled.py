"""Bars brought to the scale at which TA-Lib's absolute thresholds are harmless."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import talib

from tracker.quant.bars import BarArrays, Bools, Floats, require_usable

# TA-Lib treats a variance below 1e-14 as none and a money flow below 1.0 as none, whatever the currency: a
# coin priced at 0.00005 BTC would have no volatility at all. Powers of two rescale without a rounding error,
# so the features of a symbol quoted in another unit are the same to the last bit.
_VOLUME_FACTOR = 2.0**60


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledBars:
    """Contiguous float64 columns (n,): prices with the first close in [1, 2), volume times 2**60."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    typical: Floats
    log_close: Floats


def scaled(bars: BarArrays) -> ScaledBars:
    """Return at least one bar scaled by powers of two; raises InputError on values no indicator can take."""
    require_usable(bars)
    factor = math.ldexp(1.0, 1 - math.frexp(float(bars.close[0]))[1])
    high, low, close = bars.high * factor, bars.low * factor, bars.close * factor
    return ScaledBars(
        open=bars.open * factor,
        high=high,
        low=low,
        close=close,
        volume=bars.volume * _VOLUME_FACTOR,
        typical=talib.TYPPRICE(high, low, close),
        # TA-Lib takes logarithms one at a time; a vectorised log may round the last odd element differently.
        log_close=talib.LN(close),
    )


def ratio(numerator: Floats, denominator: Floats, otherwise: float) -> Floats:
    """Return numerator / denominator (n,), and `otherwise` where the denominator is not above 0."""
    result = np.full(numerator.shape, otherwise)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result


def percent_above(value: Floats, reference: Floats) -> Floats:
    """Return how far `value` (n,) lies above `reference` (n,), in percent of the reference."""
    return 100.0 * (value / reference - 1.0)


def is_flat(values: Floats, period: int) -> Bools:
    """Return where the last `period` values (n,) are all the same; False before there are that many."""
    return talib.MAX(values, period) == talib.MIN(values, period)


def lagged(values: Floats, bars: int) -> Floats:
    """Return the values (n,) of `bars` bars ago, NaN where there are none."""
    result = np.full(values.shape, np.nan)
    result[bars:] = values[:-bars]
    return result

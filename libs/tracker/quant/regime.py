"""The state of the market at a bar close: which way it moves, and how much for this symbol."""

from __future__ import annotations

import numpy as np

from tracker.domain.signal import Regime, Volatility
from tracker.quant.bars import Objects
from tracker.quant.frame import FeatureFrame

TREND_FEATURES = ("h1_adx_14", "h1_linreg_48_slope_pct")
VOLATILITY_FEATURE = "h1_natr_place_144"
REGIME_FEATURES = (*TREND_FEATURES, VOLATILITY_FEATURE)
# Wilder's own line between a trending and a drifting market.
TREND_ADX = 25.0

_VOLATILITIES = np.array([Volatility.UNKNOWN, Volatility.LOW, Volatility.MID, Volatility.HIGH], dtype=object)
_REGIMES = np.array([Regime.UNKNOWN, Regime.RANGE, Regime.TREND_UP, Regime.TREND_DOWN], dtype=object)


def market_regime(frame: FeatureFrame) -> Objects:
    """Return the Regime of each row, object (n,).

    Trending where the hourly ADX is at least 25, upwards or downwards by the sign of the 48-hour regression
    slope; a range otherwise; unknown while either is NaN. Raises InputError where the frame lacks
    TREND_FEATURES.
    """
    adx, slope = frame[TREND_FEATURES[0]], frame[TREND_FEATURES[1]]
    known = np.isfinite(adx) & np.isfinite(slope)
    trending = known & (adx >= TREND_ADX)
    code = known.astype(np.int64)
    code[trending & (slope > 0)] = 2
    code[trending & (slope < 0)] = 3
    return _REGIMES[code]


def volatility_tercile(frame: FeatureFrame) -> Objects:
    """Return the Volatility of each row, object (n,).

    The third in which the ATR of the latest closed hour lies among those of the 144 hours before, in percent of price;
    unknown until there are as many. Raises InputError where the frame lacks VOLATILITY_FEATURE.
    """
    place = frame[VOLATILITY_FEATURE]
    code = np.isfinite(place).astype(np.int64)
    code[place >= 1.0 / 3.0] = 2
    code[place > 2.0 / 3.0] = 3
    return _VOLATILITIES[code]

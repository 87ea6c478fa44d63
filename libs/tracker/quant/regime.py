"""The state of the market at a bar close."""

from __future__ import annotations

import numpy as np

from tracker.domain.signal import Regime
from tracker.quant.bars import Objects
from tracker.quant.frame import FeatureFrame

REGIME_FEATURES = ("h1_adx_14", "h1_linreg_48_slope_pct")
# Wilder's own line between a trending and a drifting market.
TREND_ADX = 25.0

_REGIMES = np.array([Regime.UNKNOWN, Regime.RANGE, Regime.TREND_UP, Regime.TREND_DOWN], dtype=object)


def market_regime(frame: FeatureFrame) -> Objects:
    """Return the Regime of each row, object (n,).

    Trending where the hourly ADX is at least 25, upwards or downwards by the sign of the 48-hour regression
    slope; a range otherwise; unknown while either is NaN. Raises InputError where the frame lacks
    REGIME_FEATURES.
    """
    adx, slope = frame[REGIME_FEATURES[0]], frame[REGIME_FEATURES[1]]
    known = np.isfinite(adx) & np.isfinite(slope)
    trending = known & (adx >= TREND_ADX)
    code = known.astype(np.int64)
    code[trending & (slope > 0)] = 2
    code[trending & (slope < 0)] = 3
    return _REGIMES[code]

"""Features of range: volatility, bands, recent extremes, the shape of the bar."""

from __future__ import annotations

import numpy as np
import talib

from tracker.quant.bars import Floats
from tracker.quant.features.scaled import ScaledBars, is_flat, lagged, percent_above, ratio


def volatility_columns(bars: ScaledBars) -> dict[str, Floats]:
    """Return the features of the catalogue by name, each (n,); formulas as given there."""
    high, low, close = bars.high, bars.low, bars.close
    highest = talib.MAX(high, 20)
    lowest = talib.MIN(low, 20)
    returns = 100.0 * (bars.log_close - lagged(bars.log_close, 1))
    true_range = talib.TRANGE(high, low, close)
    # A true range enters its own average with weight 1/14, so 14 averages is the most it can be.
    surprise = np.clip(ratio(true_range, talib.ATR(high, low, close, 14), 0.0), 0.0, 14.0)
    return {
        "natr_14": talib.NATR(high, low, close, 14),
        "range_to_atr": surprise,
        "realised_vol_20": np.where(is_flat(close, 21), 0.0, talib.STDDEV(returns, 20)),
        **_band_columns(close),
        "donchian_20_position": ratio(close - lowest, highest - lowest, 0.5),
        "breakout_20_distance": percent_above(close, lagged(highest, 1)),
        "drawdown_96": percent_above(close, talib.MAX(high, 96)),
        **_shape_columns(bars),
    }


def _band_columns(close: Floats) -> dict[str, Floats]:
    upper, middle, lower = talib.BBANDS(close, 20, 2.0, 2.0)
    width = np.where(is_flat(close, 20), 0.0, upper - lower)
    return {
        "bb_20_width": 100.0 * width / middle,
        "bb_20_percent_b": np.clip(ratio(close - lower, width, 0.5), -1.0, 2.0),
    }


def _shape_columns(bars: ScaledBars) -> dict[str, Floats]:
    span = bars.high - bars.low
    return {
        "body_share": ratio(bars.close - bars.open, span, 0.0),
        "upper_wick_share": ratio(bars.high - np.maximum(bars.open, bars.close), span, 0.0),
        "lower_wick_share": ratio(np.minimum(bars.open, bars.close) - bars.low, span, 0.0),
    }

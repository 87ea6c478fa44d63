"""Features of direction: averages, directional movement, the regression channel."""

from __future__ import annotations

import numpy as np
import talib

from tracker.quant.bars import Floats
from tracker.quant.features.catalogue import CHANNEL_BARS
from tracker.quant.features.scaled import ScaledBars, is_flat, percent_above, ratio

# Half the channel's width in standard deviations of the residuals.
CHANNEL_SIGMAS = 2.0
_TIME_VARIANCE = (CHANNEL_BARS**2 - 1) / 12.0
# Variance of prices near 1 that is rounding noise of running sums, not movement; TA-Lib draws the same line.
_NO_VARIANCE = 1e-14


def trend_columns(bars: ScaledBars) -> dict[str, Floats]:
    """Return the features of the catalogue by name, each (n,); formulas as given there."""
    close = bars.close
    fast, slow = talib.EMA(close, 9), talib.EMA(close, 21)
    _, _, histogram = talib.MACD(close, 12, 26, 9)
    return {
        "ema_9_distance": percent_above(close, fast),
        "ema_21_distance": percent_above(close, slow),
        "ema_50_distance": percent_above(close, talib.EMA(close, 50)),
        "ema_100_distance": percent_above(close, talib.EMA(close, 100)),
        "ema_9_21_spread": percent_above(fast, slow),
        "adx_14": talib.ADX(bars.high, bars.low, close, 14),
        "plus_di_14": talib.PLUS_DI(bars.high, bars.low, close, 14),
        "minus_di_14": talib.MINUS_DI(bars.high, bars.low, close, 14),
        "macd_hist_pct": 100.0 * histogram / close,
        "aroon_osc_25": talib.AROONOSC(bars.high, bars.low, 25),
        **_channel_columns(close),
    }


def _channel_columns(close: Floats) -> dict[str, Floats]:
    flat = is_flat(close, CHANNEL_BARS)
    slope = np.where(flat, 0.0, talib.LINEARREG_SLOPE(close, CHANNEL_BARS))
    variance = talib.VAR(close, CHANNEL_BARS)
    variance = np.where(flat | (variance <= _NO_VARIANCE), 0.0, variance)
    # Least squares splits the variance: what the line explains is slope^2 times the variance of time.
    explained = slope * slope * _TIME_VARIANCE
    half_width = CHANNEL_SIGMAS * np.sqrt(np.maximum(variance - explained, 0.0))
    lower = talib.LINEARREG(close, CHANNEL_BARS) - half_width
    return {
        "linreg_48_position": np.clip(ratio(close - lower, 2.0 * half_width, 0.5), -2.0, 3.0),
        "linreg_48_slope_pct": 100.0 * slope / close,
        "linreg_48_r2": np.clip(ratio(explained, variance, 0.0), 0.0, 1.0),
        "linreg_48_half_width_pct": 100.0 * half_width / close,
    }

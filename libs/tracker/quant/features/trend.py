"""Features of direction: averages, directional movement, the regression channel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import talib

from tracker.quant.bars import Floats
from tracker.quant.features.own_specs import CHANNEL_BARS
from tracker.quant.features.source import Source, clipped, percent_above, ratio, where

# Half the channel's width in standard deviations of the residuals.
CHANNEL_SIGMAS = 2.0
_TIME_VARIANCE = (CHANNEL_BARS**2 - 1) / 12.0
# Variance of prices near 1 that is rounding noise of running sums, not movement; TA-Lib draws the same line.
_NO_VARIANCE = 1e-14
# Bars after which less than 1e-7 is left of how an average was seeded, counted in its periods.
_EMA_PERIODS = 10
WILDER_LEAD = 260
_ADX_LEAD = 320
_MACD_LEAD = 400


def ema_distance(source: Source, period: int) -> Floats:
    """Return how far the close lies above its average, in percent."""
    return percent_above(source.scaled_close(), _ema(source, period))


def _ema(source: Source, period: int) -> Floats:
    return source.anchored(talib.EMA, ("close",), period, lead=_EMA_PERIODS * period)


def _directional(source: Source, function: Callable[..., Floats], lead: int) -> Floats:
    return source.anchored(function, ("high", "low", "close"), 14, lead=lead)


def _macd(source: Source, output: int) -> Floats:
    found = source.anchored(talib.MACD, ("close",), 12, 26, 9, lead=_MACD_LEAD)
    return 100.0 * found[output] / source.scaled_close()


def _channel(source: Source) -> tuple[Floats, Floats, Floats, Floats]:
    """Return slope, variance explained by the line, variance, half width, in scaled prices."""
    flat = source.is_flat("close", CHANNEL_BARS)
    slope = source.anchored(talib.LINEARREG_SLOPE, ("close",), CHANNEL_BARS, lead=CHANNEL_BARS)
    slope = where(flat, 0.0, slope)
    variance = source.anchored(talib.VAR, ("close",), CHANNEL_BARS, lead=CHANNEL_BARS)
    variance = where(flat, 0.0, np.where(variance <= _NO_VARIANCE, 0.0, variance))
    # Least squares splits the variance: what the line explains is slope^2 times the variance of time.
    explained = slope * slope
    explained *= _TIME_VARIANCE
    half_width = variance - explained
    np.maximum(half_width, 0.0, out=half_width)
    np.sqrt(half_width, out=half_width)
    half_width *= CHANNEL_SIGMAS
    return slope, explained, variance, half_width


def _fit(source: Source) -> tuple[Floats, Floats, Floats, Floats]:
    return source.once("channel", lambda: _channel(source))


def _channel_position(source: Source) -> Floats:
    half_width = _fit(source)[3]
    lower = source.anchored(talib.LINEARREG, ("close",), CHANNEL_BARS, lead=CHANNEL_BARS) - half_width
    return clipped(ratio(source.scaled_close() - lower, 2.0 * half_width, 0.5), -2.0, 3.0)


def _channel_r2(source: Source) -> Floats:
    _, explained, variance, _ = _fit(source)
    return clipped(ratio(explained, variance, 0.0), 0.0, 1.0)


def _efficiency(source: Source) -> Floats:
    way = source.anchored(talib.SUM, ("move",), 20, lead=21)
    close = source.column("close")
    moved = np.abs(close - source.column("close", 20)) * (source.scaled_close() / close)
    return where(source.is_flat("close", 21), 0.0, clipped(ratio(moved, way, 0.0), 0.0, 1.0))


COLUMNS: dict[str, Callable[[Source], Floats]] = {
    "ema_9_distance": lambda source: ema_distance(source, 9),
    "ema_21_distance": lambda source: ema_distance(source, 21),
    "ema_50_distance": lambda source: ema_distance(source, 50),
    "ema_100_distance": lambda source: ema_distance(source, 100),
    "ema_9_21_spread": lambda source: percent_above(_ema(source, 9), _ema(source, 21)),
    "adx_14": lambda source: _directional(source, talib.ADX, _ADX_LEAD),
    "plus_di_14": lambda source: _directional(source, talib.PLUS_DI, WILDER_LEAD),
    "minus_di_14": lambda source: _directional(source, talib.MINUS_DI, WILDER_LEAD),
    "macd_hist_pct": lambda source: _macd(source, 2),
    "macd_pct": lambda source: _macd(source, 0),
    "aroon_osc_25": lambda source: source.exact(talib.AROONOSC, ("high", "low"), 25),
    "linreg_48_position": _channel_position,
    "linreg_48_slope_pct": lambda source: 100.0 * _fit(source)[0] / source.scaled_close(),
    "linreg_48_r2": _channel_r2,
    "linreg_48_half_width_pct": lambda source: 100.0 * _fit(source)[3] / source.scaled_close(),
    "efficiency_20": _efficiency,
}

"""Features of range: volatility, bands, recent extremes, the shape of the bar."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import talib

from tracker.quant.bars import Floats
from tracker.quant.features.source import Source, clipped, percent_above, ratio, where
from tracker.quant.features.trend import WILDER_LEAD

_HIGHEST_RATIO = 2.2


def _range_to_atr(source: Source) -> Floats:
    ranges = source.anchored(talib.TRANGE, ("high", "low", "close"), lead=1)
    average = source.anchored(talib.ATR, ("high", "low", "close"), 14, lead=WILDER_LEAD)
    # A true range enters its own average with weight 1/14, so 14 averages is the most it can be.
    return clipped(ratio(ranges, average, 0.0), 0.0, 14.0)


def _realised(source: Source, period: int) -> Floats:
    deviation = source.anchored(talib.STDDEV, ("return",), period, lead=period + 1)
    return where(source.is_flat("close", period + 1), 0.0, deviation)


def _realised_once(source: Source, period: int) -> Floats:
    return source.once(("realised", period), lambda: _realised(source, period))


def _volatility_ratio(source: Source) -> Floats:
    return clipped(ratio(_realised_once(source, 20), _realised_once(source, 96), 1.0), 0.0, _HIGHEST_RATIO)


def _bands(source: Source) -> tuple[Floats, Floats, Floats]:
    """Return width, middle, lower band in scaled prices."""
    upper, middle, lower = source.anchored(talib.BBANDS, ("close",), 20, 2.0, 2.0, lead=20)
    return where(source.is_flat("close", 20), 0.0, upper - lower), middle, lower


def _bands_once(source: Source) -> tuple[Floats, Floats, Floats]:
    return source.once("bands", lambda: _bands(source))


def _band_width(source: Source) -> Floats:
    width, middle, _ = _bands_once(source)
    return 100.0 * width / middle


def _band_place(source: Source) -> Floats:
    width, _, lower = _bands_once(source)
    return clipped(ratio(source.scaled_close() - lower, width, 0.5), -1.0, 2.0)


def highest(source: Source, period: int, lag: int = 0) -> Floats:
    """Return the highest high of the last bars, as it is or as it was `lag` bars before."""
    return source.exact(talib.MAX, ("high",), period, lag=lag)


def lowest(source: Source, period: int) -> Floats:
    """Return the lowest low of the last bars."""
    return source.exact(talib.MIN, ("low",), period)


def _place(source: Source, period: int) -> Floats:
    bottom = lowest(source, period)
    return ratio(source.column("close") - bottom, highest(source, period) - bottom, 0.5)


def _span(source: Source) -> Floats:
    return source.once("span", lambda: source.column("high") - source.column("low"))


def _share(source: Source, part: Floats, otherwise: float = 0.0) -> Floats:
    return ratio(part, _span(source), otherwise)


def _upper_wick(source: Source) -> Floats:
    return _share(source, source.column("high") - np.maximum(source.column("open"), source.column("close")))


def _lower_wick(source: Source) -> Floats:
    return _share(source, np.minimum(source.column("open"), source.column("close")) - source.column("low"))


COLUMNS: dict[str, Callable[[Source], Floats]] = {
    "natr_14": lambda source: source.anchored(talib.NATR, ("high", "low", "close"), 14, lead=WILDER_LEAD),
    "range_to_atr": _range_to_atr,
    "realised_vol_20": lambda source: _realised_once(source, 20),
    "realised_vol_96": lambda source: _realised_once(source, 96),
    "vol_ratio_20_96": _volatility_ratio,
    "natr_place_144": lambda source: source.place(
        talib.NATR, ("high", "low", "close"), 14, lead=WILDER_LEAD, bars=144
    ),
    "bb_20_width": _band_width,
    "bb_20_percent_b": _band_place,
    "donchian_20_position": lambda source: _place(source, 20),
    "donchian_96_position": lambda source: _place(source, 96),
    "breakout_20_distance": lambda source: percent_above(source.column("close"), highest(source, 20, lag=1)),
    "drawdown_96": lambda source: percent_above(source.column("close"), highest(source, 96)),
    "rally_96": lambda source: percent_above(source.column("close"), lowest(source, 96)),
    "body_share": lambda source: _share(source, source.column("close") - source.column("open")),
    "upper_wick_share": _upper_wick,
    "lower_wick_share": _lower_wick,
    "close_location": lambda source: _share(source, source.column("close") - source.column("low"), 0.5),
    "range_pct": lambda source: 100.0 * _span(source) / source.column("close"),
    "gap_pct": lambda source: percent_above(source.column("open"), source.column("close", 1)),
}

"""Features of participation: how much was traded, and on which side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import talib

from tracker.quant.bars import Floats
from tracker.quant.features.source import Source, clipped, percent_above, ratio
from tracker.quant.features.volatility import highest, lowest


def _obv_slope(close: Floats, volume: Floats, period: int) -> Floats:
    return talib.LINEARREG_SLOPE(talib.OBV(close, volume), period)


def _mean_volume(source: Source, period: int) -> Floats:
    return source.once(("mean volume", period), lambda: _mean(source, period))


def _mean(source: Source, period: int) -> Floats:
    # A running sum keeps a residue of what left its window; the largest value tells exactly whether all are
    # 0.
    mean = source.anchored(talib.SMA, ("volume",), period, lead=period)
    if source.all_above_zero("volume"):
        return mean
    return np.where(source.exact(talib.MAX, ("volume",), period) == 0, 0.0, mean)


def _volume_ratio(source: Source) -> Floats:
    return clipped(ratio(source.scaled_volume(), _mean_volume(source, 20), 0.0), 0.0, 20.0)


def _volume_trend(source: Source) -> Floats:
    return clipped(ratio(_mean_volume(source, 20), _mean_volume(source, 96), 0.0), 0.0, 96.0 / 20.0)


def _balance_slope(source: Source) -> Floats:
    slope = source.anchored(_obv_slope, ("close", "volume"), 20, lead=21)
    return clipped(ratio(slope, _mean_volume(source, 20), 0.0), -2.0, 2.0)


def _money_flow(source: Source) -> Floats:
    flow = source.anchored(talib.SMA, ("flow",), 20, lead=20)
    return clipped(ratio(flow, _mean_volume(source, 20), 0.0), -1.0, 1.0)


def _vwap_distance(source: Source) -> Floats:
    mean = _mean_volume(source, 20)
    turnover = source.anchored(talib.SMA, ("turnover",), 20, lead=20)
    close, scaled = source.column("close"), source.scaled_close()
    vwap = ratio(turnover, mean, 0.0) * (close / scaled)
    # An average lies within what it is an average of; a residue of the running sums may not.
    vwap = np.minimum(np.maximum(vwap, lowest(source, 20)), highest(source, 20))
    return np.where(mean > 0, percent_above(close, vwap), 0.0)


COLUMNS: dict[str, Callable[[Source], Floats]] = {
    "volume_ratio_20": _volume_ratio,
    "volume_trend_20_96": _volume_trend,
    "obv_slope_20": _balance_slope,
    "money_flow_20": _money_flow,
    "vwap_20_distance": _vwap_distance,
}

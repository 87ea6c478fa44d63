"""Features of participation: how much was traded, and on which side."""

from __future__ import annotations

import numpy as np
import talib

from tracker.quant.bars import Floats
from tracker.quant.features.scaled import ScaledBars, ratio


def volume_columns(bars: ScaledBars) -> dict[str, Floats]:
    """Return the features of the catalogue by name, each (n,); formulas as given there."""
    volume = bars.volume
    mean_20 = _mean_volume(volume, 20)
    slope = talib.LINEARREG_SLOPE(talib.OBV(bars.close, volume), 20)
    return {
        "volume_ratio_20": np.clip(ratio(volume, mean_20, 0.0), 0.0, 20.0),
        "volume_trend_20_96": np.clip(ratio(mean_20, _mean_volume(volume, 96), 0.0), 0.0, 96.0 / 20.0),
        "obv_slope_20": np.clip(ratio(slope, mean_20, 0.0), -2.0, 2.0),
    }


def _mean_volume(volume: Floats, period: int) -> Floats:
    # A running sum keeps a residue of what left its window; the largest value tells exactly whether all are
    # 0.
    return np.where(talib.MAX(volume, period) == 0, 0.0, talib.SMA(volume, period))

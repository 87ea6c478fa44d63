"""Features of speed: oscillators and returns."""

from __future__ import annotations

import numpy as np
import talib

from tracker.quant.bars import Floats
from tracker.quant.features.scaled import ScaledBars, is_flat, lagged


def momentum_columns(bars: ScaledBars) -> dict[str, Floats]:
    """Return the features of the catalogue by name, each (n,); formulas as given there."""
    close, log_close = bars.close, bars.log_close
    # Without movement TA-Lib answers 0 for RSI and 0 for %R, which would read as oversold and overbought.
    rsi = np.where(is_flat(close, 15), 50.0, talib.RSI(close, 14))
    no_range = talib.MAX(bars.high, 14) == talib.MIN(bars.low, 14)
    percent_r = np.where(no_range, -50.0, talib.WILLR(bars.high, bars.low, close, 14))
    stoch_k = talib.SMA(100.0 + percent_r, 3)
    cci = talib.CCI(bars.high, bars.low, close, 20)
    return {
        "rsi_14": rsi,
        "stoch_k_14": np.clip(stoch_k, 0.0, 100.0),
        "stoch_d_14": np.clip(talib.SMA(stoch_k, 3), 0.0, 100.0),
        "willr_14": percent_r,
        "cci_20": np.where(is_flat(bars.typical, 20), 0.0, cci),
        "mfi_14": _money_flow_index(bars),
        "roc_12": talib.ROC(close, 12),
        "log_return_1": 100.0 * (log_close - lagged(log_close, 1)),
        "log_return_4": 100.0 * (log_close - lagged(log_close, 4)),
        "log_return_16": 100.0 * (log_close - lagged(log_close, 16)),
    }


def _money_flow_index(bars: ScaledBars) -> Floats:
    moved = np.diff(bars.typical, prepend=bars.typical[:1]) != 0
    flow = np.where(moved, bars.typical * bars.volume, 0.0)
    index = talib.MFI(bars.high, bars.low, bars.close, bars.volume, 14)
    # TA-Lib answers 0, the most oversold value there is, when nothing was traded.
    return np.where(talib.MAX(flow, 14) == 0, 50.0, np.clip(index, 0.0, 100.0))

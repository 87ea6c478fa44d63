"""Features of speed: oscillators and returns."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import talib

from tracker.quant.bars import Bools, Floats
from tracker.quant.features.source import Source, clipped, where
from tracker.quant.features.trend import WILDER_LEAD


def _rsi(source: Source, period: int) -> Floats:
    # Without movement TA-Lib answers 0 for RSI and 0 for %R, which would read as oversold and overbought.
    rsi = source.anchored(talib.RSI, ("close",), period, lead=WILDER_LEAD)
    return where(source.is_flat("close", period + 1), 50.0, rsi)


def _percent_r_tail(source: Source) -> Floats:
    high, low = source.tail("high"), source.tail("low")
    percent = talib.WILLR(high, low, source.tail("close"), 14)
    if float((high - low).min()) > 0:
        return percent
    return np.where(talib.MAX(high, 14) == talib.MIN(low, 14), -50.0, percent)


def _percent_r(source: Source) -> Floats:
    return source.once("percent r", lambda: _percent_r_tail(source))


def _mean_of_three(values: Floats) -> Floats:
    result = np.full(values.shape, np.nan)
    result[2:] = (values[:-2] + values[1:-1] + values[2:]) / 3.0
    return result


def _stoch_k(source: Source) -> Floats:
    return source.once("stoch k", lambda: 100.0 + _mean_of_three(_percent_r(source)))


def _stoch(source: Source, tail: Floats) -> Floats:
    return clipped(source.kept(tail), 0.0, 100.0)


def _cci(source: Source) -> Floats:
    cci = source.anchored(talib.CCI, ("high", "low", "close"), 20, lead=20)
    return where(source.is_flat("typical", 20), 0.0, cci)


def _nothing_flowed(source: Source) -> Bools | None:
    typical = source.tail("typical")
    moved = np.zeros(typical.shape, dtype=np.bool_)
    np.not_equal(typical[1:], typical[:-1], out=moved[1:])
    flowed = moved & (source.tail("volume") > 0)
    return source.kept(talib.MAX(flowed.astype(np.float64), 14)) == 0 if not flowed[1:].all() else None


def _money_flow_index(source: Source) -> Floats:
    index = source.anchored(talib.MFI, ("high", "low", "close", "volume"), 14, lead=15)
    # TA-Lib answers 0, the most oversold value there is, when nothing was traded.
    return where(_nothing_flowed(source), 50.0, clipped(index, 0.0, 100.0))


def _log_return(source: Source, bars: int) -> Floats:
    return 100.0 * talib.LN(source.column("close") / source.column("close", bars))


def _rate_of_change(source: Source) -> Floats:
    return 100.0 * (source.column("close") / source.column("close", 12) - 1.0)


COLUMNS: dict[str, Callable[[Source], Floats]] = {
    "rsi_14": lambda source: _rsi(source, 14),
    "rsi_7": lambda source: _rsi(source, 7),
    "stoch_k_14": lambda source: _stoch(source, _stoch_k(source)),
    "stoch_d_14": lambda source: _stoch(source, _mean_of_three(_stoch_k(source))),
    "willr_14": lambda source: source.kept(_percent_r(source)),
    "cci_20": _cci,
    "mfi_14": _money_flow_index,
    "roc_12": _rate_of_change,
    "log_return_1": lambda source: _log_return(source, 1),
    "log_return_4": lambda source: _log_return(source, 4),
    "log_return_16": lambda source: _log_return(source, 16),
    "log_return_96": lambda source: _log_return(source, 96),
}

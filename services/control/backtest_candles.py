"""The past of symbols out of candle files, as a backtest reads it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tracker.domain.errors import InputError
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import Timeframe
from tracker.quant.backtest import SymbolMarket, finest_candles
from tracker.quant.backtest.market import CONTEXT, whole_candles
from tracker.quant.bars import BarArrays, require_usable
from tracker.quant.roll_up import roll_up
from tracker.runtime.candles import CandleFile, CandleSeries, candle_files, merge_candles, read_candles


def markets_from_files(path: Path, symbols: Sequence[str], timeframe: Timeframe) -> list[SymbolMarket]:
    """Read the symbols' candles from a folder or one file, in the order of their names.

    Raises InputError naming file, line, field and value where a row cannot be used, and where a symbol has no bars as
    short as the strategy's `timeframe`.
    """
    by_symbol: dict[str, list[CandleFile]] = {}
    for file in candle_files(path, symbols):
        by_symbol.setdefault(file.symbol, []).append(file)
    return [
        _market(number, symbol, by_symbol[symbol], timeframe)
        for number, symbol in enumerate(sorted(by_symbol), start=1)
    ]


def _market(number: int, symbol: str, files: Sequence[CandleFile], timeframe: Timeframe) -> SymbolMarket:
    finest = min((each.timeframe for each in files), key=lambda each: each.seconds)
    if finest.seconds > timeframe.seconds:
        raise InputError(f"{symbol}: its candles are of {finest}, the strategy decides on {timeframe}")
    fine = _bars(merge_candles(read_candles(each) for each in files if each.timeframe is finest))
    if len(fine) == 0:
        raise InputError(f"{symbol}: {files[0].path} holds no candles")
    end = int(fine.ts[-1]) + finest.seconds
    decision = roll_up(fine, timeframe.seconds, end)
    candles = whole_candles(fine, finest) if finest is timeframe else finest_candles(decision, timeframe, fine, finest)
    return SymbolMarket(
        instrument=Instrument(symbol_id=number, symbol=symbol, base_timeframe=finest),
        decision=decision,
        context=roll_up(fine, CONTEXT.seconds, end),
        candles=candles,
    )


def _bars(series: CandleSeries) -> BarArrays:
    """Return the series as bars, a later row of the same time in the place of an earlier one."""
    if series.bad_rows:
        bad = series.bad_rows[0]
        raise InputError(f"{bad.file}: line {bad.line}: {bad.field} {bad.value!r} {bad.reason}")
    last = np.append(series.ts[1:] != series.ts[:-1], True) if len(series) else np.empty(0, dtype=np.bool_)
    bars = BarArrays(
        ts=series.ts[last],
        open=series.o[last],
        high=series.h[last],
        low=series.l[last],
        close=series.c[last],
        volume=series.v[last],
    )
    try:
        require_usable(bars)
    except InputError as error:
        raise InputError(f"{series.symbol} {series.timeframe}: {error}") from None
    crossed = np.flatnonzero(
        (bars.high < np.maximum(bars.open, bars.close)) | (bars.low > np.minimum(bars.open, bars.close))
    )
    if crossed.size:
        at = int(crossed[0])
        prices = ", ".join(f"{name} {float(getattr(bars, name)[at])!r}" for name in ("open", "high", "low", "close"))
        moment = np.datetime64(int(bars.ts[at]), "s")
        raise InputError(f"{series.symbol} {series.timeframe}: the bar of {moment} cannot be: {prices}")
    return bars

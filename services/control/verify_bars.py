"""Bars to test on: made ones, and candle files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tracker.domain.errors import InputError
from tracker.domain.timeframe import Timeframe
from tracker.quant.bars import BarArrays, require_usable
from tracker.quant.features.market import reference_of
from tracker.quant.roll_up import roll_up
from tracker.runtime.candles import CandleFile, candle_files, merge_candles, read_candles


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Bars of one length by symbol, and where they come from."""

    source: str
    bars: Mapping[str, BarArrays]

    @property
    def ids(self) -> dict[str, int]:
        """A number for each symbol."""
        return {symbol: number for number, symbol in enumerate(self.bars)}

    @property
    def series(self) -> dict[int, BarArrays]:
        """The bars by the symbol's number."""
        return dict(enumerate(self.bars.values()))

    @property
    def reference(self) -> int | None:
        """The number of the symbol that others are compared with."""
        return reference_of(self.ids)


def file_sample(path: Path, timeframe: Timeframe) -> Sample:
    """Read the candles of a folder or a file, rolled up to bars of `timeframe`; files of longer bars are left out.

    Raises InputError where no file is short enough, and naming the symbol where a value cannot be used.
    """
    finest: dict[str, list[CandleFile]] = {}
    for file in candle_files(path):
        if file.timeframe.seconds <= timeframe.seconds:
            finest.setdefault(file.symbol, []).append(file)
    if not finest:
        raise InputError(f"candles: {path} has no bars of {timeframe} or shorter")
    bars = {symbol: _bars(symbol, files, timeframe) for symbol, files in sorted(finest.items())}
    return Sample(source=str(path), bars=bars)


def _bars(symbol: str, files: list[CandleFile], timeframe: Timeframe) -> BarArrays:
    length = min(files, key=lambda each: each.timeframe.seconds).timeframe
    merged = merge_candles(read_candles(each) for each in files if each.timeframe is length)
    if len(merged) == 0:
        raise InputError(f"candles: {files[0].path} holds no bars")
    last = np.append(merged.ts[1:] != merged.ts[:-1], True)
    columns = {"open": merged.o, "high": merged.h, "low": merged.l, "close": merged.c, "volume": merged.v}
    fine = BarArrays(ts=merged.ts[last], **{name: values[last] for name, values in columns.items()})
    try:
        require_usable(fine)
    except InputError as error:
        raise InputError(f"candles: {symbol}: {error}") from None
    return roll_up(fine, timeframe.seconds, int(fine.ts[-1]) + length.seconds)

"""What every peer is given, and what it gives back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from tracker.domain.timeframe import Timeframe
from tracker.quant.bars import BarArrays
from tracker.testing.ema_cross import EmaCrossParams, Entries, TradeList, cross_columns, entries_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One symbol's bars, with what the rule wants at each close."""

    name: str
    bars: BarArrays
    entries: Entries
    timeframe: Timeframe


@dataclass(frozen=True, slots=True)
class Effort:
    """Seconds by the clock, and of the processor: other work on the machine lengthens the one alone."""

    seconds: float
    processor: float

    def __add__(self, other: Effort) -> Effort:
        """Return both together."""
        return Effort(self.seconds + other.seconds, self.processor + other.processor)

    def least(self, other: Effort) -> Effort:
        """Return the better of each."""
        return Effort(min(self.seconds, other.seconds), min(self.processor, other.processor))


class Watch:
    """Counts from when it is made."""

    def __init__(self) -> None:
        """Begin."""
        self._began = (time.perf_counter(), time.process_time())

    def read(self) -> Effort:
        """Return what it took so far."""
        return Effort(time.perf_counter() - self._began[0], time.process_time() - self._began[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a peer traded, and what it took from bars in its own shape to its result."""

    trades: TradeList
    effort: Effort


def series_of(
    names: Sequence[str], bars: Sequence[BarArrays], timeframe: Timeframe, params: EmaCrossParams
) -> list[Series]:
    """Return the series with their entries, computed once for all peers."""
    entries = [entries_of(each.close, cross_columns(each, params), params) for each in bars]
    return [
        Series(name=name, bars=each, entries=wanted, timeframe=timeframe)
        for name, each, wanted in zip(names, bars, entries, strict=True)
    ]


def frame_of(bars: BarArrays) -> pd.DataFrame:
    """Return bars as pandas has them, by the time of their open."""
    return pd.DataFrame(
        {name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")},
        index=pd.DatetimeIndex(pd.to_datetime(bars.ts, unit="s", utc=True), name="date"),
    )


def delayed(values: np.ndarray, first: float | bool) -> np.ndarray:
    """Return what was known a bar before."""
    return np.concatenate(([first], values[:-1]))

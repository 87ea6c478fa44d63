"""A symbol's bars as the engine reads them, one candle at a time or a quiet stretch at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import numpy as np

from tracker.domain.candle import Candle
from tracker.domain.timeframe import EPOCH
from tracker.quant.bars import BarArrays, Bools, Floats, Ints
from tracker.quant.execution import observe
from tracker.quant.trade import Trade

# Bars looked at in one go: short first, since most trades have news soon.
FIRST_CHUNK = 64
LONGEST_CHUNK = 4096


class CandleSeries(Mapping[int, Candle]):
    """Bars by their close time in Unix seconds; the candles are made when they are asked for."""

    def __init__(self, bars: BarArrays, closes: Ints) -> None:
        """Take the bars and when each closes, int64 (n,) ascending."""
        self.bars = bars
        self.closes = closes

    def __len__(self) -> int:
        """Return the number of bars."""
        return len(self.bars)

    def __iter__(self) -> Iterator[int]:
        """Return the close times, ascending."""
        return iter(self.closes.tolist())

    def __getitem__(self, close: int) -> Candle:
        """Return the bar that closes at a moment; raises KeyError where none does."""
        index = self.index_from(close)
        if index == len(self.bars) or int(self.closes[index]) != close:
            raise KeyError(close)
        bars = self.bars
        return Candle(
            int(bars.ts[index]),
            float(bars.open[index]),
            float(bars.high[index]),
            float(bars.low[index]),
            float(bars.close[index]),
            float(bars.volume[index]),
        )

    def last_close(self, moment: int) -> datetime | None:
        """Return when the last bar had closed at a moment (Unix seconds); None before the first."""
        index = self.index_from(moment + 1) - 1
        return EPOCH + timedelta(seconds=int(self.closes[index])) if index >= 0 else None

    def index_from(self, close: int) -> int:
        """Return the index of the first bar that closes at `close` or later."""
        return int(self.closes.searchsorted(close))


def next_event(trade: Trade, series: CandleSeries, start: int) -> int:
    """Return the index of the first bar from `start` on that is not quiet for the trade, else the number of bars."""
    bars, total = series.bars, len(series)
    if start >= total or trade.held <= 0.0 or trade.entry_rest > 0.0 or trade.leaving is not None:
        return start
    rung = max((each.price for each in trade.rungs if each.rest > 0.0), default=-math.inf)
    highest, seen, size = trade.highest, -math.inf, FIRST_CHUNK
    while start < total:
        stop = min(start + size, total)
        high, low = bars.high[start:stop], bars.low[start:stop]
        news = (low <= _floor(trade, high, highest, seen, rung)) | (high >= trade.target)
        news |= bars.ts[start:stop] >= trade.expires_at
        hit = _first(news)
        if hit is not None:
            return start + hit
        seen = max(seen, float(high.max()))
        highest = max(highest, seen)
        start, size = stop, min(4 * size, LONGEST_CHUNK)
    return total


def observe_stretch(trade: Trade, series: CandleSeries, start: int, stop: int) -> float:
    """Do to the trade what `observe` does bar by bar over quiet bars [start, stop); return the last close."""
    bars = series.bars
    last = float(bars.close[stop - 1])
    highest, lowest = float(bars.high[start:stop].max()), float(bars.low[start:stop].min())
    observe(trade, Candle(int(bars.ts[start]), float(bars.open[start]), highest, lowest, last, 0.0))
    return last


def _floor(trade: Trade, high: Floats, highest: float, seen: float, rung: float) -> Floats | float:
    """Return the price at or below which each bar brings news: the stop of its time, or the next rung.

    `highest` is the highest price since the entry, `seen` that of this quiet stretch.
    """
    floor: Floats | float = max(trade.stop, rung)
    if trade.trail_distance <= 0.0 and trade.break_even_distance <= 0.0:
        return floor
    before = np.maximum.accumulate(np.concatenate(([seen], high[:-1])))
    if trade.trail_distance > 0.0:
        floor = np.maximum(np.maximum(before, highest) - trade.trail_distance, floor)
    if trade.break_even_distance > 0.0:
        average = trade.cost / trade.bought
        reached = before >= average + trade.break_even_distance
        floor = np.maximum(floor, np.where(reached, average * (1.0 + trade.break_even_cost), -math.inf))
    return floor


def _first(news: Bools) -> int | None:
    index = int(news.argmax())
    return index if news[index] else None

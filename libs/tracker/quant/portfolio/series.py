"""A symbol's bars as the engine reads them, one candle at a time or a quiet stretch at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from tracker.domain.candle import Candle
from tracker.quant.bars import BarArrays, Bools, Floats, Ints
from tracker.quant.pricing import trailed_stop
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

    def index_from(self, close: int) -> int:
        """Return the index of the first bar that closes at `close` or later."""
        return int(self.closes.searchsorted(close))


def next_event(trade: Trade, series: CandleSeries, start: int) -> int:
    """Return the index of the first bar from `start` on that is not quiet for the trade, else the number of bars."""
    bars, total = series.bars, len(series)
    if start >= total or trade.held <= 0.0 or trade.entry_rest > 0.0 or trade.leaving is not None:
        return start
    rung = max((each.price for each in trade.rungs if each.rest > 0.0), default=-math.inf)
    highest, size = trade.highest, FIRST_CHUNK
    while start < total:
        stop = min(start + size, total)
        high, low = bars.high[start:stop], bars.low[start:stop]
        news = (low <= _floor(trade, high, highest, rung)) | (high >= trade.target)
        news |= bars.ts[start:stop] >= trade.expires_at
        hit = _first(news)
        if hit is not None:
            return start + hit
        highest = max(highest, float(high.max()))
        start, size = stop, min(4 * size, LONGEST_CHUNK)
    return total


def observe_stretch(trade: Trade, series: CandleSeries, start: int, stop: int) -> float:
    """Do to the trade what `observe` does bar by bar over quiet bars [start, stop); return the last close."""
    bars = series.bars
    trade.highest = max(trade.highest, float(bars.high[start:stop].max()))
    trade.lowest = min(trade.lowest, float(bars.low[start:stop].min()))
    trade.stop = trailed_stop(trade.stop, trade.highest, trade.trail_distance)
    return float(bars.close[stop - 1])


def _floor(trade: Trade, high: Floats, highest: float, rung: float) -> Floats | float:
    """Return the price at or below which each bar brings news: the stop of its time, or the next rung."""
    if trade.trail_distance <= 0.0:
        return max(trade.stop, rung)
    before = np.maximum.accumulate(np.concatenate(([highest], high[:-1])))
    return np.maximum(np.maximum(before - trade.trail_distance, trade.stop), rung)


def _first(news: Bools) -> int | None:
    index = int(news.argmax())
    return index if news[index] else None

"""The past of a symbol as a backtest needs it: bars to decide on, their hourly context, candles to fill in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.domain.errors import InputError
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import Timeframe
from tracker.quant.bars import BarArrays, Bools, Ints
from tracker.quant.portfolio.series import CandleSeries
from tracker.quant.roll_up import roll_up

CONTEXT = Timeframe.H1


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Decisions are taken at closes in (first, end], Unix seconds."""

    first: int
    end: int

    def __post_init__(self) -> None:
        """Refuse a span in which nothing can happen."""
        if self.end <= self.first:
            raise InputError(f"the span ends at {self.end}, which is not after its begin {self.first}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolMarket:
    """One symbol's past.

    `decision` holds the bars that the strategy decides on, `context` the 1h bars and `days` the 1d bars (rolled up from
    those of the hour where None), all from far enough before the span for the features' warm-up; `candles` what trades
    are filled in, from the span's begin on at the latest.
    """

    instrument: Instrument
    decision: BarArrays
    context: BarArrays
    candles: CandleSeries
    days: BarArrays | None = None


def finest_candles(coarse: BarArrays, timeframe: Timeframe, fine: BarArrays, fine_timeframe: Timeframe) -> CandleSeries:
    """Return the candles to fill in: the fine bars where they tell all of a coarse one, elsewhere the coarse bar.

    Fine bars stand in for a coarse one only where they have its open, high, low and close: half a bucket of minutes
    would hide the other half's stops.
    """
    rolled = roll_up(fine, timeframe.seconds, int(coarse.ts[-1]) + timeframe.seconds if len(coarse) else 0)
    of_coarse, of_rolled = _common(coarse.ts, rolled.ts)
    same = np.ones(len(of_coarse), dtype=np.bool_)
    for name in ("open", "high", "low", "close"):
        same &= getattr(coarse, name)[of_coarse] == getattr(rolled, name)[of_rolled]
    told = np.zeros(len(coarse), dtype=np.bool_)
    told[of_coarse[same]] = True
    kept = _within(fine.ts, coarse.ts[told], timeframe.seconds)
    return _merged(_pick(coarse, ~told), timeframe.seconds, _pick(fine, kept), fine_timeframe.seconds)


def whole_candles(bars: BarArrays, timeframe: Timeframe) -> CandleSeries:
    """Return the bars as the candles to fill in."""
    return CandleSeries(bars, bars.ts + timeframe.seconds)


def _common(one: Ints, other: Ints) -> tuple[Ints, Ints]:
    _, of_one, of_other = np.intersect1d(one, other, assume_unique=True, return_indices=True)
    return of_one, of_other


def _within(ts: Ints, buckets: Ints, seconds: int) -> Bools:
    """Return which opens lie in one of the buckets, whose opens ascend."""
    return np.isin(ts // seconds * seconds, buckets)


def _pick(bars: BarArrays, rows: Bools) -> BarArrays:
    return BarArrays(
        ts=bars.ts[rows],
        open=bars.open[rows],
        high=bars.high[rows],
        low=bars.low[rows],
        close=bars.close[rows],
        volume=bars.volume[rows],
    )


def _merged(one: BarArrays, one_seconds: int, other: BarArrays, other_seconds: int) -> CandleSeries:
    ts = np.concatenate((one.ts, other.ts))
    order = np.argsort(ts, kind="stable")
    columns = {
        name: np.concatenate((getattr(one, name), getattr(other, name)))[order]
        for name in ("open", "high", "low", "close", "volume")
    }
    closes = np.concatenate((one.ts + one_seconds, other.ts + other_seconds))[order]
    return CandleSeries(BarArrays(ts=ts[order], **columns), closes)

"""Symbols' stored past, as decisions and trades are worked out from it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.quant.backtest.market import CONTEXT, Span, SymbolMarket, finest_candles, whole_candles
from tracker.quant.bars import BarArrays
from tracker.quant.portfolio.book import moment_of, seconds_of
from tracker.quant.portfolio.series import CandleSeries
from tracker.quant.windows import anchor_seconds
from tracker.store.bars import BarTable
from tracker.store.database import Transaction
from tracker.store.readers import read_range, read_symbol_range

# How far before a decision its contexts reach: the oldest hour and day that can still be one, with their windows.
CONTEXT_MARGIN = {Timeframe.H1: timedelta(hours=4), Timeframe.D1: timedelta(days=4)}
_COLUMNS = ("open", "high", "low", "close", "volume")


async def decision_markets(
    transaction: Transaction, instruments: Sequence[Instrument], timeframe: Timeframe, span: Span
) -> list[SymbolMarket]:
    """Return what decisions in a span are worked out from, of every symbol that has bars in it."""
    begin = moment_of(anchor_seconds(span.first - timeframe.seconds, timeframe.seconds))
    bars = await read_range(transaction, timeframe, begin, moment_of(span.end))
    contexts = {
        frame: await read_range(transaction, frame, _context_begin(span, frame), moment_of(span.end))
        for frame in (CONTEXT, Timeframe.D1)
    }
    empty = BarArrays(ts=np.empty(0, dtype=np.int64), **{name: np.empty(0) for name in _COLUMNS})
    found: list[SymbolMarket] = []
    for each in instruments:
        if each.symbol_id in bars and each.base_timeframe.seconds <= timeframe.seconds:
            own = bar_arrays(bars[each.symbol_id])
            hours, days = (contexts[frame].get(each.symbol_id) for frame in (CONTEXT, Timeframe.D1))
            found.append(
                SymbolMarket(
                    instrument=each,
                    decision=own,
                    context=empty if hours is None else bar_arrays(hours),
                    days=empty if days is None else bar_arrays(days),
                    candles=whole_candles(own, timeframe),
                )
            )
    return found


async def candle_market(transaction: Transaction, instrument: Instrument, span: Span) -> SymbolMarket:
    """Return a symbol's finest candles in a span, to trade in."""
    frame = instrument.base_timeframe
    begin = frame.floor(moment_of(span.first))
    table = (await read_range(transaction, frame, begin, moment_of(span.end), [instrument.symbol_id])).get(
        instrument.symbol_id
    )
    empty = BarArrays(ts=np.empty(0, dtype=np.int64), **{name: np.empty(0) for name in _COLUMNS})
    bars = empty if table is None else bar_arrays(table)
    return SymbolMarket(instrument=instrument, decision=bars, context=empty, candles=whole_candles(bars, frame))


async def finest_stored(
    transaction: Transaction,
    instrument: Instrument,
    timeframe: Timeframe,
    decision: BarArrays,
    span: tuple[datetime, datetime],
) -> CandleSeries:
    """Return what trades are filled in: the finest bars that there are of a symbol opening in [first, end).

    `decision` are its bars of the timeframe that is decided on, which stand in where finer ones do not tell all.
    """
    for finer in Timeframe:
        if instrument.base_timeframe.seconds <= finer.seconds < timeframe.seconds:
            fine = bar_arrays(await read_symbol_range(transaction, instrument.symbol_id, finer, *span))
            if len(fine):
                return finest_candles(decision, timeframe, fine, finer)
    return whole_candles(decision, timeframe)


def bar_arrays(table: BarTable) -> BarArrays:
    """Return bars as the rules read them."""
    return BarArrays(ts=table.ts, **{name: getattr(table, name) for name in _COLUMNS})


def _context_begin(span: Span, frame: Timeframe) -> datetime:
    first = moment_of(span.first) - CONTEXT_MARGIN[frame]
    return EPOCH + timedelta(seconds=anchor_seconds(max(seconds_of(first), 0), frame.seconds))

"""History from the vendor: the start-up backfill and the repair of what a connection missed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import numpy as np
from tracker.domain.bar import Bar, BarSource
from tracker.domain.errors import FeedAuthError, FeedError
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.runtime.logging import Logger
from tracker.store.backfill import Chunk, finish_chunk, has_plan, plan_chunks, planned_chunks
from tracker.store.bars import BarTable, Rejection, merge_history, read_resume_point, reject
from tracker.store.database import Database

from services.data_collector.buffer import Item
from services.data_collector.feeds.base import Feed
from services.data_collector.settings import CollectorSettings

# Longer requests make the vendor's servers time out.
LONGEST_REQUEST = {
    Timeframe.M1: timedelta(days=30),
    Timeframe.M5: timedelta(days=90),
    Timeframe.M15: timedelta(days=180),
    Timeframe.H1: timedelta(days=720),
    Timeframe.D1: timedelta(days=3650),
}
# The newest complete bar may have been taken in while it was still being corrected.
OVERLAP_BARS = 2

T = TypeVar("T")


class History:
    """Fetches bars by REST, several symbols at a time."""

    def __init__(self, feed: Feed, database: Database, settings: CollectorSettings, log: Logger) -> None:
        """Work through `feed` into `database`."""
        self._feed = feed
        self._database = database
        self._settings = settings
        self._log = log
        self._slots = asyncio.Semaphore(settings.rest_parallel)
        self.chunks_total = 0
        self.chunks_done = 0
        self.bars = 0

    async def backfill(self, instruments: Sequence[Instrument], now: datetime) -> None:
        """Plan the start-up history once and fetch what is still missing of it."""
        by_symbol = {each.symbol: each for each in instruments}
        async with self._database.transaction() as transaction:
            if not await has_plan(transaction):
                await plan_chunks(transaction, self._plan(instruments, now))
            chunks = [chunk for chunk in await planned_chunks(transaction) if chunk.symbol in by_symbol]
            await transaction.commit()
        self.chunks_total, self.chunks_done, self.bars = len(chunks), 0, 0
        await _together(self._fetch_chunk(chunk, by_symbol[chunk.symbol]) for chunk in chunks)
        if chunks:
            self._log.info(
                "the start-up history is complete", action="backfill_done", chunks=len(chunks), bars=self.bars
            )

    def _plan(self, instruments: Sequence[Instrument], now: datetime) -> Iterable[Chunk]:
        days = {
            Timeframe.M1: self._settings.backfill_1m_days,
            Timeframe.M15: self._settings.backfill_15m_days,
            Timeframe.H1: self._settings.backfill_1h_days,
            Timeframe.D1: self._settings.backfill_1d_days,
        }
        for timeframe, span in days.items():
            end = timeframe.floor(now)
            first = timeframe.floor(end - timedelta(days=span))
            while first < end:
                last = min(end, first + LONGEST_REQUEST[timeframe])
                for each in instruments:
                    yield Chunk(
                        symbol_id=each.symbol_id,
                        symbol=each.symbol,
                        timeframe=timeframe,
                        starts_at=first,
                        ends_at=last,
                    )
                first = last

    async def _fetch_chunk(self, chunk: Chunk, instrument: Instrument) -> None:
        status, stored, reason = "done", 0, None
        async with self._slots:
            try:
                table = await self._feed.history(instrument, chunk.timeframe, chunk.starts_at, chunk.ends_at)
            except FeedAuthError:
                raise
            except FeedError as error:
                table, status, reason = None, "failed", str(error)
                self._log.warning(
                    "a piece of history could not be fetched",
                    action="backfill_failed",
                    symbol=chunk.symbol,
                    timeframe=chunk.timeframe,
                    error=str(error),
                )
            async with self._database.transaction() as transaction:
                if table is not None:
                    kept, defects = _split(table, chunk.symbol, chunk.timeframe)
                    await reject(transaction, defects)
                    stored = await merge_history(transaction, chunk.symbol_id, chunk.timeframe, kept)
                await finish_chunk(transaction, chunk, status, stored, reason)
                await transaction.commit()
        self.chunks_done += 1
        self.bars += stored

    async def missed(
        self, instruments: Sequence[Instrument], now: datetime, lost: Mapping[str, datetime]
    ) -> list[Item]:
        """Return each symbol's bars from the last complete minute (or its first lost one) until `now`, in time order.

        The newest stored bar says little: bars of a new connection may stand behind a hole that an
        interrupted repair left open. What is declared complete says it all.
        """
        async with self._database.transaction() as transaction:
            resume = await read_resume_point(transaction) or self._settings.history_from
        wanted: list[tuple[Instrument, datetime]] = []
        for each in instruments:
            moments = [moment for moment in (resume, lost.get(each.symbol)) if moment is not None]
            if moments:
                wanted.append((each, min(moments) - OVERLAP_BARS * each.base_timeframe.duration))
        found = await _together(self._fetch_range(each, first, now) for each, first in wanted)
        return sorted((item for items in found for item in items), key=_time_of)

    async def _fetch_range(self, instrument: Instrument, first: datetime, now: datetime) -> list[Item]:
        timeframe = instrument.base_timeframe
        items: list[Item] = []
        start, end = timeframe.floor(first), timeframe.floor(now)
        while start < end:
            stop = min(end, start + LONGEST_REQUEST[timeframe])
            async with self._slots:
                table = await self._feed.history(instrument, timeframe, start, stop)
            items += list(bars_of(table, instrument.symbol, timeframe))
            start = stop
        return items


async def _together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run everything at once; the first failure cancels the rest and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except BaseExceptionGroup as group_error:
        raise group_error.exceptions[0] from group_error
    return [task.result() for task in tasks]


def bars_of(table: BarTable, symbol: str, timeframe: Timeframe) -> Iterable[Item]:
    """Return the table's rows as bars, the impossible ones as rejections."""
    for index in range(len(table)):
        bar = _bar(table, index, symbol, timeframe)
        defect = bar.defect()
        yield bar if defect is None else _rejection(bar, defect)


def _split(table: BarTable, symbol: str, timeframe: Timeframe) -> tuple[BarTable, list[Rejection]]:
    """Part the possible bars from the impossible ones, looking closely at suspects only."""
    prices = np.stack((table.open, table.high, table.low, table.close))
    fine = (
        np.isfinite(prices).all(axis=0)
        & (prices > 0).all(axis=0)
        & np.isfinite(table.volume)
        & (table.volume >= 0)
        & (table.high >= prices.max(axis=0))
        & (table.low <= prices.min(axis=0))
        & (table.ts % timeframe.seconds == 0)
    )
    if fine.all():
        return table, []
    bad = [_bar(table, int(index), symbol, timeframe) for index in np.flatnonzero(~fine)]
    kept = BarTable(
        ts=table.ts[fine],
        open=table.open[fine],
        high=table.high[fine],
        low=table.low[fine],
        close=table.close[fine],
        volume=table.volume[fine],
        vwap=None if table.vwap is None else table.vwap[fine],
        trades=None if table.trades is None else table.trades[fine],
    )
    return kept, [_rejection(bar, bar.defect() or "impossible") for bar in bad]


def _bar(table: BarTable, index: int, symbol: str, timeframe: Timeframe) -> Bar:
    return Bar(
        symbol=symbol,
        timeframe=timeframe,
        ts=EPOCH + timedelta(seconds=int(table.ts[index])),
        open=float(table.open[index]),
        high=float(table.high[index]),
        low=float(table.low[index]),
        close=float(table.close[index]),
        volume=float(table.volume[index]),
        vwap=math.nan if table.vwap is None else float(table.vwap[index]),
        trades=0 if table.trades is None else int(table.trades[index]),
        source=BarSource.REST,
    )


def _rejection(bar: Bar, defect: str) -> Rejection:
    frame = f"{bar.ts.isoformat()},{bar.open!r},{bar.high!r},{bar.low!r},{bar.close!r},{bar.volume!r}"
    return Rejection(
        source="polygon rest",
        reason=defect,
        frame=frame,
        symbol=bar.symbol,
        timeframe=bar.timeframe.value,
        ts=bar.ts,
    )


def _time_of(item: Item) -> datetime:
    if isinstance(item, Bar):
        return item.closes_at
    return item.ts or EPOCH

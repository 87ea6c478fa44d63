"""History from the vendor: the start-up backfill and the repair of what a connection missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tracker.domain.bar import Bar
from tracker.domain.errors import FeedAuthError, FeedError
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.runtime.logging import Logger
from tracker.store.backfill import Chunk, plan_chunks, read_chunks
from tracker.store.bars import read_resume_point, read_watermarks
from tracker.store.database import Database

from services.data_collector.buffer import Item
from services.data_collector.chunks import load_chunk, note_failure
from services.data_collector.feeds.base import Feed
from services.data_collector.plan import Span, before_known, outstanding, span_of
from services.data_collector.rest_bars import bars_of, rejection_of
from services.data_collector.settings import CollectorSettings

# A repair after days away must not hold all its bars in memory.
BARS_AT_ONCE = 150_000
# Failures that outlast a request's own attempts.
BACKFILL_PASSES = 3

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
        self.chunks_failed = 0
        self.bars = 0
        self._begin: datetime | None = None

    async def backfill(self, instruments: Sequence[Instrument], now: datetime) -> None:
        """Plan the start-up history of symbols that have none and fetch what is still missing."""
        chunks = await self._outstanding(instruments, now)
        self.chunks_total, self.chunks_done, self.bars = len(chunks), 0, 0
        by_symbol = {each.symbol: each for each in instruments}
        for _ in range(BACKFILL_PASSES):
            await together(self._fetch_chunk(chunk, by_symbol[chunk.symbol], now) for chunk in chunks)
            chunks = await self._outstanding(instruments, now)
            if not chunks:
                break
        self.chunks_failed = len(chunks)
        if self.chunks_total:
            self._log.info(
                "the start-up history is fetched",
                action="backfill_done",
                chunks=self.chunks_total,
                failed=self.chunks_failed,
                bars=self.bars,
            )

    async def _outstanding(self, instruments: Sequence[Instrument], now: datetime) -> list[Chunk]:
        """Return what is still to fetch; a symbol that joined later gets a plan of its own."""
        spans = self._spans(now)
        frames = [span.timeframe for span in spans]
        async with self._database.transaction() as transaction:
            known = await read_chunks(transaction, frames)
            await plan_chunks(transaction, before_known(instruments, spans, known))
            chunks = await read_chunks(transaction, frames)
            await transaction.commit()
        # `tracker backfill` may have planned years: the start waits for what it needs itself.
        return outstanding(chunks, {each.symbol: each for each in instruments}, spans)

    def _spans(self, now: datetime) -> list[Span]:
        days = {
            Timeframe.M1: self._settings.backfill_1m_days,
            Timeframe.M15: self._settings.backfill_15m_days,
            Timeframe.H1: self._settings.backfill_1h_days,
            Timeframe.D1: self._settings.backfill_1d_days,
        }
        return [span_of(timeframe, count, now) for timeframe, count in days.items()]

    async def _fetch_chunk(self, chunk: Chunk, instrument: Instrument, now: datetime) -> None:
        settled = now - self._settings.settle_after
        async with self._slots:
            try:
                merged = await load_chunk(self._feed, self._database, chunk, instrument, settled)
            except FeedAuthError:
                raise
            except FeedError as error:
                await self._note_failure(chunk, str(error))
                return
        self.chunks_done += 1
        self.bars += merged.new

    async def _note_failure(self, chunk: Chunk, reason: str) -> None:
        self._log.warning(
            "a piece of history could not be fetched",
            action="backfill_failed",
            symbol=chunk.symbol,
            timeframe=chunk.timeframe,
            error=reason,
        )
        await note_failure(self._database, chunk, reason)

    async def resume_points(self, instruments: Sequence[Instrument]) -> dict[str, datetime]:
        """Return by symbol from when on bars may be missing after a pause.

        The newest stored bar says little: bars of a new connection may stand behind a hole that an
        interrupted repair left open. What is declared complete says it all.
        """
        async with self._database.transaction() as transaction:
            resume = await read_resume_point(transaction) or self._settings.history_from
            closed = (await read_watermarks(transaction)).get(Timeframe.M1)
        if resume is None:
            return {}
        # Nothing from before the collecting began: it would make buckets of which the beginning is missing.
        self._begin = resume if closed is None else closed.opened_at
        return {each.symbol: resume for each in instruments}

    def with_overlap(self, moment: datetime) -> datetime:
        """Return from when on to ask for what is missing since `moment`: corrections of earlier bars are, too."""
        if self._begin is None:
            return moment
        return min(moment, max(moment - timedelta(seconds=self._settings.overlap_seconds), self._begin))

    async def since(
        self, instruments: Sequence[Instrument], moments: Mapping[str, datetime], now: datetime
    ) -> AsyncIterator[list[Item]]:
        """Yield the bars from each symbol's moment until `now`, window by window in time order."""
        wanted = [(each, self.with_overlap(moments[each.symbol])) for each in instruments if each.symbol in moments]
        if not wanted:
            return
        window = timedelta(days=min(max(BARS_AT_ONCE // (1_440 * len(wanted)), 1), 30))
        # Whole days, so that no window cuts a bar in two.
        start = Timeframe.D1.floor(min(moment for _, moment in wanted))
        while start < now:
            end = min(start + window, now)
            found = await together(
                self.fetch(each, max(moment, start), end) for each, moment in wanted if moment < end
            )
            yield sorted((item for items in found for item in items), key=_time_of)
            start += window

    def begin_of(self, timeframe: Timeframe, first: datetime, now: datetime) -> datetime:
        """Return `first`, or the open of the oldest bar that the vendor still has where that is later."""
        reach = self._feed.reach(timeframe)
        return first if reach is None else max(first, timeframe.floor(now - reach) + timeframe.duration)

    async def fetch(self, instrument: Instrument, first: datetime, end: datetime) -> list[Item]:
        """Return a symbol's finest bars that open in [first, end) whole buckets; raises FeedError, FeedAuthError."""
        timeframe = instrument.base_timeframe
        start, stop = timeframe.floor(first), timeframe.floor(end)
        if start >= stop:
            return []
        async with self._slots:
            table = await self._feed.history(instrument, timeframe, start, stop)
        items = bars_of(table, instrument.symbol, timeframe, self._feed.vendor)
        return [self._asked_for(item, start, stop) for item in items]

    def _asked_for(self, item: Item, first: datetime, end: datetime) -> Item:
        """Return a bar of another time, such as the future, as a rejection."""
        if not isinstance(item, Bar) or first <= item.ts < end:
            return item
        span = f"from {first.isoformat()} to {end.isoformat()}"
        return rejection_of(item, f"ts is {item.ts.isoformat()}, not {span} as asked for", self._feed.vendor)


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run everything at once; the first failure cancels the rest and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except BaseExceptionGroup as group_error:
        raise group_error.exceptions[0] from group_error
    return [task.result() for task in tasks]


def _time_of(item: Item) -> datetime:
    if isinstance(item, Bar):
        return item.closes_at
    return item.ts or EPOCH

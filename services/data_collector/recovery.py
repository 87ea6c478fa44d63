"""Makes good from REST what the stream did not bring: before it began, while it was away, and in its holes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from prometheus_client import Gauge
from tracker.domain.bar import Bar
from tracker.domain.errors import FeedError, TrackerError
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import Timeframe
from tracker.runtime.logging import Logger
from tracker.runtime.retry import Backoff
from tracker.store.database import Database
from tracker.store.gaps import GapCause

from services.data_collector.buffer import BarBuffer, Item
from services.data_collector.feeds.base import Feed
from services.data_collector.freshness import Question
from services.data_collector.gaps import GapWatch
from services.data_collector.healer import Healer
from services.data_collector.history import History
from services.data_collector.settings import CollectorSettings

SILENT = Gauge("tracker_symbol_silent", "1 while a symbol has been silent for long though the feed goes on", ["symbol"])
LOOK_SECONDS = 0.25
T = TypeVar("T")


class Recovery:
    """Knows what is missing and fetches it; nothing may close while something is."""

    def __init__(
        self,
        feed: Feed,
        database: Database,
        settings: CollectorSettings,
        log: Logger,
        buffer: BarBuffer,
        store: Callable[[Sequence[Item]], Awaitable[None]],
        vendor_now: Callable[[], Awaitable[datetime]],
    ) -> None:
        """Hand what is fetched to `store`, past the buffer, which may be small."""
        self.history = History(feed, database, settings, log)
        self.gaps = GapWatch(step=Timeframe.M1.duration)
        self.healer = Healer(
            history=self.history, database=database, settings=settings, log=log, store=self._store_all,
            vendor_now=vendor_now, buffer=buffer,
        )
        self.backfilled = False
        self._repaired = False
        self._settings = settings
        self._patience = settings.repair_patience_seconds
        self._log = log
        self._buffer = buffer
        self._store = store
        self._vendor_now = vendor_now
        self._instruments: Sequence[Instrument] = []
        self._failures: dict[object, TrackerError] = {}

    @property
    def failure(self) -> TrackerError | None:
        """What keeps a repair from being done just now, None while nothing does."""
        return next(iter(self._failures.values()), None)

    @property
    def complete(self) -> bool:
        """Tell whether the start-up history and what the last pause missed are stored."""
        return self._repaired and self.backfilled

    def disconnected(self) -> None:
        """Take note that from now on bars are missed."""
        self._repaired = False

    def note(self, items: Sequence[Item]) -> None:
        """Mark as lost what these items of the stream show to be missing."""
        hole = self.gaps.saw(item for item in items if isinstance(item, Bar))
        if hole is not None:
            self._mark_all(hole)
        known = {each.symbol for each in self._instruments}
        for item in items:
            if isinstance(item, Bar):
                continue
            if item.whole_frame and self.gaps.high is not None:
                self._mark_all(self.gaps.high)
                self._buffer.causes.note(GapCause.REJECTED, self.gaps.high, self.gaps.high + self.gaps.step)
            elif item.symbol in known and item.ts is not None:
                self._buffer.mark_lost(item.symbol, item.ts)
                self._buffer.causes.note(GapCause.REJECTED, item.ts, item.ts + self.gaps.step, item.symbol)

    def _mark_all(self, since: datetime) -> None:
        for each in self._instruments:
            self._buffer.mark_lost(each.symbol, since)

    async def take_up(self, instruments: Sequence[Instrument]) -> datetime:
        """After a subscription: fetch what was missed, then the start-up history; return the vendor's time."""
        self._instruments = instruments
        # The longest: where only symbols of longer bars trade, nothing comes in between.
        self.gaps.step = max(each.base_timeframe.duration for each in instruments)
        # The start-up history needs the vendor anyway.
        now = await self._patiently(self._repair_everything, self._resume_without_repair if self.backfilled else None)
        self._repaired = True
        if not self.backfilled:
            await self._patiently(lambda: self.history.backfill(instruments, now))
            self.backfilled = True
            if self._settings.backfill_1m_days:
                self.gaps.covered([each.symbol for each in instruments], Timeframe.M1.floor(now))
        return now

    async def keep_whole(self, wake: asyncio.Event) -> None:
        """Repair losses as they come, and have the healer work through the ledger's open gaps beside that."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._repair_losses(wake))
                group.create_task(self._heal_gaps())
        except BaseExceptionGroup as group_error:
            raise group_error.exceptions[0] from group_error

    async def _repair_losses(self, wake: asyncio.Event) -> None:
        wait = LOOK_SECONDS
        pause = Backoff(initial=LOOK_SECONDS, longest=self._settings.longest_backoff_seconds)
        while True:
            await asyncio.sleep(wait)
            wait = LOOK_SECONDS
            if self._buffer.has_lost and len(self._buffer) <= self._settings.buffer_size // 2:
                await self._patiently(self._repair_lost, self._close_without_lost)
                wake.set()
                # Losses without end would otherwise be requests without end.
                wait = pause.next_wait()
            elif not self._buffer.has_lost:
                pause.reset()

    async def _heal_gaps(self) -> None:
        while True:
            await asyncio.sleep(self._settings.heal_seconds)
            self._tell_silent()
            # As long as there is something to close: a long outage is closed in pieces.
            while await self._patiently(lambda: self.healer.run_once(self._instruments)):
                continue

    def _tell_silent(self) -> None:
        silent = self.gaps.silent()
        for each in self._instruments:
            SILENT.labels(each.symbol).set(each.symbol in silent)
        if silent:
            self._log.warning(
                "some symbols are silent", action="symbols_silent", symbols=silent[:20], count=len(silent)
            )

    async def _repair_everything(self) -> datetime:
        """Store what may be missing since the last complete minute."""
        # Before the time is asked: what is lost later may close later than REST is asked for.
        lost = self._buffer.take_lost()
        now = await self._vendor_now()
        moments = await self.history.resume_points(self._instruments)
        for symbol, since in lost.items():
            moments[symbol] = min(since, moments.get(symbol, since))
        if moments:
            cause = GapCause.OUTAGE if self.gaps.high is None else GapCause.DISCONNECTED
            # The minute under way is missing its beginning.
            self._buffer.causes.note(cause, min(moments.values()), Timeframe.M1.close_of(Timeframe.M1.floor(now)))
        await self._fetch(moments, now)
        self._buffer.lost_repaired()
        self.gaps.covered(moments, Timeframe.M1.floor(now))
        return now

    async def _repair_lost(self) -> None:
        lost = self._buffer.take_lost()
        self._log.warning(
            "repairing what the stream did not bring",
            action="loss_repair",
            overflowed=self._buffer.overflowed,
            symbols=len(lost),
        )
        await self._fetch(lost, await self._vendor_now())
        self._buffer.lost_repaired()

    def _close_without_lost(self, error: FeedError) -> None:
        """Let minutes close without what REST does not give: they become open gaps, which the healer fills."""
        lost = self._buffer.take_lost()
        if lost and self.gaps.high is not None:
            first, end = min(lost.values()), max(*lost.values(), self.gaps.high) + Timeframe.M1.duration
            self._buffer.causes.note(GapCause.VENDOR_FAILED, first, end)
        self._log.error(
            "minutes close with open gaps, because the vendor does not answer for what was missed",
            action="repair_given_up", symbols=len(lost), error=str(error),
        )
        self._buffer.lost_repaired()

    def _resume_without_repair(self, error: FeedError) -> datetime:
        """Go on after a connection whose beginning REST does not give; the first close finds what is missing."""
        high = self.gaps.high
        if high is None:
            raise error
        self._buffer.causes.note(GapCause.VENDOR_FAILED, high, high + timedelta(days=1))
        self._close_without_lost(error)
        return high

    async def _fetch(self, moments: Mapping[str, datetime], now: datetime) -> None:
        # What was received before must not be stored after the answer, which is the later word.
        await self._buffer.settled()
        with self._buffer.freshness.asking() as question:
            async for items in self.history.since(self._instruments, moments, now):
                await self._store_all(items, question)

    async def _store_all(self, items: Sequence[Item], question: Question) -> None:
        size = self._settings.batch_size
        for start in range(0, len(items), size):
            await self._store(question.still_latest(items[start : start + size]))

    async def _patiently(
        self, work: Callable[[], Awaitable[T]], give_up: Callable[[FeedError], T] | None = None
    ) -> T:
        """Try until it works: neither a database nor a REST interface that is away is a reason to reconnect.

        `give_up` takes over where the vendor has failed for longer than minutes may wait.
        """
        backoff = Backoff(
            initial=self._settings.initial_backoff_seconds, longest=self._settings.longest_backoff_seconds
        )
        loop = asyncio.get_running_loop()
        since = loop.time()
        this = object()
        try:
            while True:
                try:
                    return await work()
                except TrackerError as error:
                    if not error.retryable:
                        raise
                    waited = loop.time() - since
                    if give_up is not None and isinstance(error, FeedError) and waited >= self._patience:
                        return give_up(error)
                    self._failures[this] = error
                    await asyncio.sleep(self._told(error, backoff.next_wait()))
        finally:
            self._failures.pop(this, None)

    def _told(self, error: TrackerError, wait: float) -> float:
        self._log.warning(
            "what the stream missed cannot be fetched and stored yet",
            action="recovery_wait",
            error=str(error),
            wait_seconds=round(wait, 2),
        )
        return wait

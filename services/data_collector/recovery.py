"""Makes good from REST what the stream did not bring: before it began, while it was away, and in its holes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from tracker.domain.bar import Bar
from tracker.domain.errors import TrackerError
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import Timeframe
from tracker.runtime.logging import Logger
from tracker.runtime.retry import Backoff
from tracker.store.database import Database

from services.data_collector.buffer import BarBuffer, Item
from services.data_collector.feeds.base import Feed
from services.data_collector.gaps import GapWatch
from services.data_collector.history import History
from services.data_collector.settings import CollectorSettings

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
        self.backfilled = False
        self._repaired = False
        self._settings = settings
        self._log = log
        self._buffer = buffer
        self._store = store
        self._vendor_now = vendor_now
        self._instruments: Sequence[Instrument] = []

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
            elif item.symbol in known and item.ts is not None:
                self._buffer.mark_lost(item.symbol, item.ts)

    def _mark_all(self, since: datetime) -> None:
        for each in self._instruments:
            self._buffer.mark_lost(each.symbol, since)

    async def take_up(self, instruments: Sequence[Instrument]) -> datetime:
        """After a subscription: fetch what was missed, then the start-up history; return the vendor's time."""
        self._instruments = instruments
        # The longest: where only symbols of longer bars trade, nothing comes in between.
        self.gaps.step = max(each.base_timeframe.duration for each in instruments)
        now = await self._patiently(self._repair_everything)
        self._repaired = True
        if not self.backfilled:
            await self._patiently(lambda: self.history.backfill(instruments, now))
            self.backfilled = True
            if self._settings.backfill_1m_days:
                self.gaps.covered([each.symbol for each in instruments], Timeframe.M1.floor(now))
        return now

    async def keep_whole(self, wake: asyncio.Event) -> None:
        """Repair losses as they come and compare doubtful symbols with REST now and then."""
        loop = asyncio.get_running_loop()
        compared, wait = loop.time(), LOOK_SECONDS
        pause = Backoff(initial=LOOK_SECONDS, longest=self._settings.longest_backoff_seconds)
        while True:
            await asyncio.sleep(wait)
            wait = LOOK_SECONDS
            if self._buffer.has_lost and len(self._buffer) <= self._settings.buffer_size // 2:
                await self._patiently(self._repair_lost)
                wake.set()
                # Losses without end would otherwise be requests without end.
                wait = pause.next_wait()
            elif not self._buffer.has_lost:
                pause.reset()
            if loop.time() - compared >= self._settings.reconcile_seconds:
                compared = loop.time()
                await self._patiently(self._reconcile)

    async def _repair_everything(self) -> datetime:
        """Store what may be missing since the last complete minute."""
        # Before the time is asked: what is lost later may close later than REST is asked for.
        lost = self._buffer.take_lost()
        now = await self._vendor_now()
        moments = await self.history.resume_points(self._instruments)
        for symbol, since in lost.items():
            moments[symbol] = min(since, moments.get(symbol, since))
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

    async def _reconcile(self) -> None:
        silent = self.gaps.silent()
        doubtful = self.gaps.take_doubtful()
        if silent:
            self._log.warning(
                "some symbols are silent", action="symbols_silent", symbols=silent[:20], count=len(silent)
            )
        try:
            now = await self._vendor_now()
            await self._fetch(doubtful, now)
        except BaseException:
            self.gaps.put_back(doubtful)
            raise
        self.gaps.compared(doubtful, Timeframe.M1.floor(now))

    async def _fetch(self, moments: Mapping[str, datetime], now: datetime) -> None:
        size = self._settings.batch_size
        async for items in self.history.since(self._instruments, moments, now):
            for start in range(0, len(items), size):
                await self._store(items[start : start + size])

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Try until it works: neither a database nor a REST interface that is away is a reason to reconnect."""
        backoff = Backoff(initial=0.5, longest=self._settings.longest_backoff_seconds)
        while True:
            try:
                return await work()
            except TrackerError as error:
                if not error.retryable:
                    raise
                wait = backoff.next_wait()
                self._log.warning(
                    "what the stream missed cannot be fetched yet",
                    action="recovery_wait",
                    error=str(error),
                    wait_seconds=round(wait, 2),
                )
                await asyncio.sleep(wait)

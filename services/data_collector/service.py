"""The collector: one connection to the vendor in the background, one transaction a run in the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from prometheus_client import Counter, Gauge
from tracker.domain.bar import Bar, BarSource
from tracker.domain.clock import Clock
from tracker.domain.errors import FeedAuthError, FeedConnectionLimitError, LeaseLostError, TrackerError
from tracker.domain.timeframe import Timeframe
from tracker.runtime.dependency import Dependency
from tracker.runtime.logging import Logger
from tracker.runtime.universe import Universe
from tracker.store.bars import read_latest
from tracker.store.database import Database
from tracker.store.fence import Fence
from tracker.store.gaps import Expected

from services.data_collector.buffer import BarBuffer, Item
from services.data_collector.closer import MinuteCloser
from services.data_collector.feeds.base import Feed
from services.data_collector.flush import Partitions, close_through, roll_open_buckets, store_batch
from services.data_collector.plausible import Plausibility
from services.data_collector.recovery import Recovery
from services.data_collector.roster import Roster, call_roll
from services.data_collector.settings import CollectorSettings
from services.data_collector.tenure import Tenure

BARS = Counter("tracker_bars_stored_total", "Bars stored", ["kind"])
REJECTED = Counter("tracker_bars_rejected_total", "Bars rejected")
RECONNECTS = Counter("tracker_feed_reconnects_total", "Connections to the vendor that ended", ["reason"])
DATA_AGE = Gauge("tracker_feed_last_bar_timestamp_seconds", "Close time of the newest bar")
CLOCK_OFFSET = Gauge("tracker_feed_clock_offset_seconds", "The vendor's clock minus ours, when last asked")


class DataCollector:
    """Takes bars in, keeps them bounded, stores them and says which minutes are complete."""

    name = "data_collector"
    channels: tuple[str, ...] = ()

    def __init__(
        self,
        database: Database,
        feed: Feed,
        universe: Universe,
        settings: CollectorSettings,
        clock: Clock,
        log: Logger,
    ) -> None:
        """Nothing is connected before `background` runs."""
        self._database = database
        self._feed = feed
        self._universe = universe
        self._settings = settings
        self._clock = clock
        self._log = log
        self._roster = Roster()
        self._buffer = BarBuffer(settings.buffer_size)
        self._closer = MinuteCloser(settings.grace_seconds)
        self._plausible = Plausibility(feed.now, clock, feed.vendor)
        self._partitions = Partitions(known=set())
        self._tenure = Tenure(database, feed.vendor, settings, clock, log)
        self._recovery = Recovery(feed, database, settings, log, self._buffer, self._store, self._vendor_now)
        self._stream = Dependency("vendor_stream", settings.stream_policy, clock)
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self._closed: datetime | None = None
        self._problem: str | None = None
        self._trouble: str | None = None
        self._connections = 0

    def detail(self) -> dict[str, Any]:
        """Return what is shown in /health; `problem` needs a person, `trouble` is tried again."""
        water, history = self._closer.high_water, self._recovery.history
        failure = self._recovery.failure
        alert = str(failure) if failure is not None and failure.needs_person else None
        return {
            "source": self._feed.vendor,
            "market": self._settings.source,
            **self._tenure.detail(),
            "stream_failures": self._stream.failures,
            "symbols": len(self._roster.instruments),
            "unsupported": dict(self._roster.unsupported),
            "received": self._buffer.received,
            "waiting": len(self._buffer),
            "overflowed": self._buffer.overflowed,
            "newest_close": None if water is None else water.isoformat(),
            "connections": self._connections,
            "backfill_chunks": history.chunks_total,
            "backfill_done": history.chunks_done,
            "backfill_failed": history.chunks_failed,
            "backfill_bars": history.bars,
            "complete_history": self._recovery.backfilled and history.chunks_failed == 0,
            "silent": self._recovery.gaps.silent(),
            "problem": self._problem or self._tenure.problem or alert,
            "trouble": self._feed.trouble or self._trouble or (None if failure is None else str(failure)),
        }

    async def run_once(self) -> bool:
        """Store what waits and close what is complete, in one transaction; a standby has nothing to do."""
        fence = self._tenure.fence
        if fence is None:
            return False
        items = self._buffer.drain(self._settings.batch_size)
        if not items and not self._closable():
            return False
        try:
            sifted = await self._plausible.sift(items)
            self._recovery.note(sifted)
            await self._store(sifted, fence)
            self._buffer.stored()
        except LeaseLostError:
            self._buffer.give_up(items)
            raise
        except TrackerError:
            self._buffer.restore(items)
            raise
        return bool(len(self._buffer))

    async def _store(self, items: Sequence[Item], fence: Fence | None = None) -> None:
        fence = fence or self._tenure.fence
        if fence is None:
            raise LeaseLostError(f"the lease {self._tenure.name} is not held: nothing is stored")
        bars = [item for item in items if isinstance(item, Bar)]
        async with self._writing, self._database.transaction() as transaction:
            stored, months = await store_batch(transaction, items, self._roster.symbol_ids, self._partitions)
            self._closer.saw(bars, self._clock.monotonic())
            moment = self._closable()
            if moment is not None:
                await close_through(transaction, self._opened_at(), moment, self._expected())
                if self._settings.history_to is not None and moment >= self._settings.history_to:
                    await roll_open_buckets(transaction, moment)
            await transaction.commit(fence)
        self._partitions.known |= months
        if moment is not None:
            self._closed = moment
            self._buffer.causes.forget(moment)
        self._plausible.believed(bar for bar in bars if bar.source is BarSource.REST)
        BARS.labels("stored").inc(stored.stored)
        BARS.labels("corrected").inc(stored.corrected)
        REJECTED.inc(len(items) - len(bars))
        if self._closer.high_water is not None:
            DATA_AGE.set(self._closer.high_water.timestamp())

    def _closable(self) -> datetime | None:
        """Return the moment to close through, None where nothing is new.

        A minute may only close when nothing of it can still be waiting, here or at the vendor.
        """
        if not self._recovery.complete or len(self._buffer) or self._buffer.has_lost:
            return None
        moment = self._closer.closed_through(self._clock.monotonic())
        if moment is None or (self._closed is not None and moment <= self._closed):
            return None
        return moment

    def _expected(self) -> Expected:
        return Expected(
            symbol_ids=[each.symbol_id for each in self._roster.instruments],
            causes=self._buffer.causes.known(self._roster.symbol_ids),
            nothing_before=self._settings.history_from is not None,
        )

    def _opened_at(self) -> datetime:
        first = self._settings.history_from or self._closer.first_open
        assert first is not None  # noqa: S101 - a closable minute implies a bar
        return first

    async def background(self, wake: asyncio.Event) -> None:
        """Keep the connection up while the lease is ours; a refused key is reported and not tried again."""
        self._wake = wake
        watch = asyncio.create_task(self._wake_at_grace())
        try:
            await self._tenure.serve(self._hold_connection)
        except FeedAuthError as error:
            # The lease is free again: another collector may have a better key.
            self._problem = str(error)
            self._log.error("the vendor refuses to serve", action="feed_refused", error=str(error))
            await asyncio.Event().wait()
        finally:
            watch.cancel()
            await self._feed.close()

    async def _hold_connection(self) -> None:
        """Connect again and again for as long as the lease lasts."""
        self._buffer.give_up()
        try:
            while True:
                await self._connect_once()
        finally:
            self._recovery.disconnected()

    async def _connect_once(self) -> None:
        try:
            if not self._roster.instruments:
                await self._call_roll()
            await self._feed.stream(self._roster.instruments, self._receive, self._catch_up)
        except FeedConnectionLimitError as error:
            RECONNECTS.labels("max_connections").inc()
            self._stream.failed("max_connections")
            await self._pause("feed_cool_down", error, self._settings.connection_cool_down_seconds)
        except TrackerError as error:
            if not error.retryable:
                raise
            RECONNECTS.labels(type(error).__name__).inc()
            self._stream.failed(type(error).__name__)
            await self._pause("feed_reconnect", error, self._stream.next_wait())

    async def _pause(self, action: str, error: TrackerError, seconds: float) -> None:
        self._recovery.disconnected()
        self._trouble = str(error)
        self._log.warning(
            "the feed ended and will be connected again",
            action=action,
            error=str(error),
            wait_seconds=round(seconds, 2),
        )
        await asyncio.sleep(seconds)

    async def _call_roll(self) -> None:
        roster = await call_roll(self._database, self._feed, self._universe)
        async with self._database.transaction() as transaction:
            self._plausible.believed(await read_latest(transaction, Timeframe.M1))
        self._roster = roster
        if self._roster.unsupported:
            self._log.warning(
                "some symbols are not supported by the vendor",
                action="symbols_unsupported",
                count=len(self._roster.unsupported),
                symbols=sorted(self._roster.unsupported),
            )

    def _receive(self, items: Iterable[Item]) -> None:
        taken = list(items)
        self._buffer.extend(taken)
        if any(isinstance(item, Bar) for item in taken):
            self._stream.succeeded()
        self._wake.set()

    async def _catch_up(self) -> None:
        """Beside the connection from its subscription on: fetch what it missed and what it misses."""
        self._connections += 1
        self._problem = self._trouble = None
        now = await self._recovery.take_up(self._roster.instruments)
        self._closer.expect((each.symbol for each in self._roster.instruments), now)
        self._wake.set()
        await self._recovery.keep_whole(self._wake)

    async def _vendor_now(self) -> datetime:
        now = await self._feed.now()
        self._plausible.heard(now)
        CLOCK_OFFSET.set((now - self._clock.now()).total_seconds())
        return now

    async def _wake_at_grace(self) -> None:
        """Look again when the newest minute's grace has passed, though nothing new came."""
        while True:
            wait = self._closer.seconds_to_grace(self._clock.monotonic())
            await asyncio.sleep(min(max(wait, 0.05), 1.0))
            if 0 < wait <= 1.0:
                self._wake.set()

"""The collector: one connection to the vendor in the background, one transaction a run in the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from prometheus_client import Counter, Gauge
from tracker.domain.bar import Bar
from tracker.domain.clock import Clock
from tracker.domain.errors import FeedAuthError, FeedConnectionLimitError, FeedError, TrackerError
from tracker.domain.instrument import Instrument, InstrumentStatus
from tracker.domain.timeframe import Timeframe
from tracker.runtime.logging import Logger
from tracker.runtime.retry import Backoff
from tracker.runtime.universe import Universe
from tracker.store.bars import roll_up
from tracker.store.database import Database
from tracker.store.symbols import read_symbols, set_symbol_status, write_symbols

from services.data_collector.buffer import BarBuffer, Item
from services.data_collector.closer import MinuteCloser
from services.data_collector.feeds.base import Feed
from services.data_collector.flush import Partitions, close_through, roll_open_buckets, store_batch
from services.data_collector.history import History
from services.data_collector.settings import CollectorSettings

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
        self._buffer = BarBuffer(settings.buffer_size)
        self._closer = MinuteCloser(settings.grace_seconds)
        self._partitions = Partitions(known=set())
        self._history = History(feed, database, settings, log)
        self._symbol_ids: dict[str, int] = {}
        self._instruments: list[Instrument] = []
        self._unsupported: dict[str, str] = {}
        self._backoff = Backoff(initial=0.5, longest=settings.longest_backoff_seconds)
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self._closed: datetime | None = None
        self._repaired = False
        self._backfilled = False
        self._problem: str | None = None
        self._connections = 0

    def detail(self) -> dict[str, Any]:
        """Return what is shown in /health; `problem` needs a person."""
        water = self._closer.high_water
        return {
            "source": self._feed.vendor,
            "symbols": len(self._instruments),
            "unsupported": self._unsupported,
            "received": self._buffer.received,
            "waiting": len(self._buffer),
            "overflowed": self._buffer.overflowed,
            "newest_close": None if water is None else water.isoformat(),
            "connections": self._connections,
            "backfill_chunks": self._history.chunks_total,
            "backfill_done": self._history.chunks_done,
            "backfill_bars": self._history.bars,
            "complete_history": self._backfilled,
            "problem": self._problem,
        }

    async def run_once(self) -> bool:
        """Store what waits and close what is complete, in one transaction."""
        items = self._buffer.drain(self._settings.batch_size)
        if not items and not self._closable():
            return False
        try:
            await self._store(items)
        except TrackerError:
            self._buffer.restore(items)
            raise
        return bool(len(self._buffer))

    async def _store(self, items: Sequence[Item]) -> None:
        bars = [item for item in items if isinstance(item, Bar)]
        async with self._writing, self._database.transaction() as transaction:
            stored, months = await store_batch(transaction, items, self._symbol_ids, self._partitions)
            self._closer.saw(bars, self._clock.monotonic())
            moment = self._closable()
            if moment is not None:
                await close_through(transaction, self._opened_at(), moment)
                if self._settings.history_to is not None and moment >= self._settings.history_to:
                    await roll_open_buckets(transaction, moment)
            await transaction.commit()
        self._partitions.known |= months
        self._closed = moment or self._closed
        BARS.labels("stored").inc(stored.stored)
        BARS.labels("corrected").inc(stored.corrected)
        REJECTED.inc(len(items) - len(bars))
        if self._closer.high_water is not None:
            DATA_AGE.set(self._closer.high_water.timestamp())

    def _closable(self) -> datetime | None:
        """Return the moment to close through, None where nothing is new.

        A minute may only close when nothing of it can still be waiting, here or at the vendor.
        """
        if not (self._repaired and self._backfilled) or len(self._buffer) or self._buffer.has_lost:
            return None
        moment = self._closer.closed_through(self._clock.monotonic())
        if moment is None or (self._closed is not None and moment <= self._closed):
            return None
        return moment

    def _opened_at(self) -> datetime:
        first = self._settings.history_from or self._closer.first_open
        assert first is not None  # noqa: S101 - a closable minute implies a bar
        return first

    async def background(self, wake: asyncio.Event) -> None:
        """Keep the connection up; a refused key is reported and not tried again."""
        self._wake = wake
        watch = asyncio.create_task(self._wake_at_grace())
        try:
            while True:
                await self._connect_once()
        finally:
            watch.cancel()
            await self._feed.close()

    async def _connect_once(self) -> None:
        try:
            await self._prepare()
            await self._feed.stream(self._instruments, self._receive, self._catch_up)
        except FeedAuthError as error:
            self._problem = str(error)
            self._log.error("the vendor refused the key", action="feed_refused", error=str(error))
            await asyncio.Event().wait()
        except FeedConnectionLimitError as error:
            RECONNECTS.labels("max_connections").inc()
            self._log.warning(
                "too many connections",
                action="feed_cool_down",
                error=str(error),
                wait_seconds=self._settings.connection_cool_down_seconds,
            )
            await self._rest(self._settings.connection_cool_down_seconds)
        except TrackerError as error:
            RECONNECTS.labels(type(error).__name__).inc()
            wait = self._backoff.next_wait()
            self._log.warning(
                "the feed ended and will be connected again",
                action="feed_reconnect",
                error=str(error),
                wait_seconds=round(wait, 2),
            )
            await self._rest(wait)

    async def _rest(self, seconds: float) -> None:
        self._repaired = False
        await asyncio.sleep(seconds)

    async def _prepare(self) -> None:
        """Write the universe down and leave out what the vendor does not know."""
        if self._instruments:
            return
        wanted = self._universe.instruments()
        refused = await self._feed.supported(wanted)
        listed = {each.symbol for each in wanted}
        async with self._database.transaction() as transaction:
            await write_symbols(transaction, wanted)
            for each in await read_symbols(transaction):
                if each.symbol in refused:
                    await set_symbol_status(
                        transaction, each.symbol, InstrumentStatus.UNSUPPORTED, refused[each.symbol]
                    )
                elif each.symbol in listed and each.status is InstrumentStatus.UNSUPPORTED:
                    await set_symbol_status(transaction, each.symbol, InstrumentStatus.ACTIVE, None)
            known = await read_symbols(transaction)
            await transaction.commit()
        self._symbol_ids = {each.symbol: each.symbol_id for each in known}
        self._unsupported = refused
        self._instruments = [
            each for each in known if each.symbol in listed and each.status is InstrumentStatus.ACTIVE
        ]
        if refused:
            self._log.warning(
                "some symbols are not supported by the vendor",
                action="symbols_unsupported",
                count=len(refused),
                symbols=sorted(refused),
            )
        if not self._instruments:
            raise FeedError(f"{self._feed.vendor} knows none of the {len(wanted)} symbols of the universe")

    def _receive(self, items: Iterable[Item]) -> None:
        self._buffer.extend(items)
        self._backoff.reset()
        self._wake.set()

    async def _catch_up(self) -> None:
        """After the subscription: fetch what was missed, then the start-up history, then repair overflows."""
        self._connections += 1
        self._problem = None
        now = await self._repair()
        self._repaired = True
        if not self._backfilled:
            await self._history.backfill(self._instruments, now)
            await self._roll_history(now)
            self._backfilled = True
        self._wake.set()
        while True:
            await asyncio.sleep(0.5)
            if self._buffer.has_lost and len(self._buffer) < self._settings.buffer_size // 2:
                self._log.warning(
                    "repairing what the full buffer dropped",
                    action="overflow_repair",
                    overflowed=self._buffer.overflowed,
                )
                await self._repair()

    async def _repair(self) -> datetime:
        """Store what is missing since each symbol's last bar; past the buffer, which may be small."""
        now = await self._vendor_now()
        missed = await self._history.missed(self._instruments, now, self._buffer.take_lost())
        for start in range(0, len(missed), self._settings.batch_size):
            await self._store(missed[start : start + self._settings.batch_size])
        self._buffer.lost_repaired()
        self._wake.set()
        return now

    async def _roll_history(self, now: datetime) -> None:
        """Build the 5m bars of the start-up minutes: the vendor is only asked for the other timeframes."""
        if self._history.chunks_total == 0 or self._settings.backfill_1m_days == 0:
            return
        first = Timeframe.M5.floor(now - timedelta(days=self._settings.backfill_1m_days))
        async with self._database.transaction() as transaction:
            await roll_up(transaction, Timeframe.M5, first, Timeframe.M5.floor(now))
            await transaction.commit()

    async def _vendor_now(self) -> datetime:
        now = await self._feed.now()
        CLOCK_OFFSET.set((now - self._clock.now()).total_seconds())
        return now

    async def _wake_at_grace(self) -> None:
        """Look again when the newest minute's grace has passed, though nothing new came."""
        while True:
            wait = self._closer.seconds_to_grace(self._clock.monotonic())
            await asyncio.sleep(min(max(wait, 0.05), 1.0))
            if 0 < wait <= 1.0:
                self._wake.set()

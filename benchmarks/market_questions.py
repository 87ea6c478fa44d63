"""What is asked of stored market data, put to the real code: readers, the collector's flush, the merge of history."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from tracker.domain.bar import Bar
from tracker.domain.errors import TrackerError
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.store.bars import BarTable
from tracker.store.database import Database, Transaction
from tracker.store.imports import commit_lazily, merge_history
from tracker.store.readers import read_latest, read_symbol_range, read_window
from tracker.store.symbols import read_symbols

from benchmarks.market_table import MINUTE, SYMBOLS, UNCLUSTERED, Market, Span, prices
from benchmarks.timing import Times, measured
from services.data_collector.flush import Partitions, store_batch
from services.data_collector.jobs import MERGES_AT_ONCE

DAY = timedelta(days=1)
WINDOW = 300
CONCURRENT = 100
CONNECTIONS = 4
M1 = Timeframe.M1


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How often each question is asked."""

    reads: int
    windows: int
    rounds: int
    ticks: int
    chunks: int


FULL = Effort(reads=1_000, windows=80, rounds=15, ticks=400, chunks=18)
BRIEF = Effort(reads=60, windows=10, rounds=2, ticks=30, chunks=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrent:
    """Milliseconds until all of many reads at once were answered, and how many failed in all rounds."""

    times: Times
    failures: int


def day_reads(spans: Iterable[Span], seed: int) -> list[tuple[int, datetime]]:
    """Return many (symbol id, begin of 24 hours), each within one of the spans where that is long enough."""
    chooser = random.Random(seed)  # noqa: S311 - a sample
    chosen = list(spans)
    picks: list[tuple[int, datetime]] = []
    for _ in range(5_000):
        span = chooser.choice(chosen)
        minutes = max(0, (span.end - span.first - DAY) // MINUTE)
        picks.append((chooser.randint(1, SYMBOLS), span.first + chooser.randint(0, minutes) * MINUTE))
    return picks


def groups_of(market: Market) -> dict[str, list[Span]]:
    """Return the months by how they lie: the newest, closed ones in the order of their key, and the one that is not."""
    *closed, newest = market.spans
    groups = {
        "newest month": [newest],
        "closed months": [span for span in closed if span.by_key],
        "month never clustered": [span for span in closed if span.month == UNCLUSTERED],
    }
    return {name: spans for name, spans in groups.items() if spans}


class Questions:
    """The questions, put to one database."""

    def __init__(self, url: str, market: Market, effort: Effort) -> None:
        """Ask nothing yet."""
        self._url = url
        self._market = market
        self._effort = effort

    async def latest(self) -> Times:
        """Read the newest bar of every symbol."""
        async with self._reading() as transaction:
            return await measured(lambda _: read_latest(transaction, M1), self._effort.reads, 50)

    async def latest_alone(self) -> Times:
        """The same in a transaction of its own."""
        async with self._opened("tracker_reader", 1) as database:

            async def read(_: int) -> None:
                async with database.transaction() as transaction:
                    await read_latest(transaction, M1)

            return await measured(read, self._effort.reads, 50)

    async def day(self, spans: Iterable[Span]) -> Times:
        """Read 24 hours of one symbol."""
        picks = day_reads(spans, 1)
        async with self._reading() as transaction:

            async def read(number: int) -> None:
                symbol_id, first = picks[number]
                await read_symbol_range(transaction, symbol_id, M1, first, first + DAY)

            return await measured(read, self._effort.reads, self._effort.reads)

    async def window(self) -> Times:
        """Read the last 300 bars of every symbol into NumPy."""
        async with self._reading() as transaction:
            found = await read_window(transaction, M1, WINDOW)
            if found.ts.shape != (SYMBOLS, WINDOW) or found.counts.min() < WINDOW:
                raise RuntimeError(f"the window holds {found.counts.min()} bars of a symbol")
            return await measured(lambda _: read_window(transaction, M1, WINDOW), self._effort.windows, 5)

    async def at_once(self) -> Concurrent:
        """Read 24 hours of 100 symbols and days at once."""
        picks = day_reads(self._market.spans, 2)
        failures = 0
        async with self._opened("tracker_reader", CONNECTIONS) as database:

            async def read(symbol_id: int, first: datetime) -> None:
                nonlocal failures
                try:
                    async with database.transaction() as transaction:
                        table = await read_symbol_range(transaction, symbol_id, M1, first, first + DAY)
                    failures += len(table) < min(1440, self._market.spans[-1].minutes)
                except TrackerError:
                    failures += 1

            async def round_of(number: int) -> None:
                chosen = picks[number * CONCURRENT : (number + 1) * CONCURRENT]
                await asyncio.gather(*(read(*pick) for pick in chosen))

            times = await measured(round_of, self._effort.rounds, 2)
        return Concurrent(times=times, failures=failures)

    async def ticks(self) -> Times:
        """Store a minute of every symbol as the collector does, durably."""
        async with self._opened("tracker_data_collector", 1) as database:
            async with database.transaction() as transaction:
                ids = {each.symbol: each.symbol_id for each in await read_symbols(transaction)}
                latest = await read_latest(transaction, M1)
            begin = EPOCH + timedelta(seconds=int(latest.ts.max())) + MINUTE
            partitions = Partitions(set())

            async def tick(number: int) -> None:
                bars = _minute(ids, latest.close.tolist(), begin + number * MINUTE)
                async with database.transaction() as transaction:
                    _, months = await store_batch(transaction, bars, ids, partitions)
                    await transaction.commit()
                partitions.known |= months

            return await measured(tick, self._effort.ticks, 20)

    async def backfill(self) -> dict[str, float]:
        """Merge months of minutes before the oldest ones; return rows a second, of new ones and of the same again."""
        async with self._opened("tracker_data_collector", MERGES_AT_ONCE) as database:
            async with database.transaction() as transaction:
                oldest: datetime = await transaction.fetch_value("readers.oldest_month")
            month = (oldest - DAY).replace(day=1)
            span = Span(month=month, first=month, end=oldest, by_key=True)
            tables = [
                (symbol_id, BarTable(**prices(span, symbol_id))) for symbol_id in range(1, self._effort.chunks + 1)
            ]
            return {
                "new": await _merged(database, tables, expected_new=True),
                "again": await _merged(database, tables, expected_new=False),
            }

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Transaction]:
        async with self._opened("tracker_reader", 1) as database, database.transaction() as transaction:
            yield transaction

    @asynccontextmanager
    async def _opened(self, role: str, connections: int) -> AsyncIterator[Database]:
        database = await Database.open(self._url, role=role, pool_size=connections, application="bench")
        try:
            yield database
        finally:
            await database.close()


def _minute(ids: dict[str, int], closes: list[float], moment: datetime) -> list[Bar]:
    return [
        Bar(
            symbol=symbol, timeframe=M1, ts=moment, open=close, high=close * 1.001, low=close * 0.999, close=close,
            volume=1.0 + moment.minute, vwap=close, trades=7,
        )
        for symbol, close in zip(ids, closes, strict=True)
    ]  # fmt: skip


async def _merged(database: Database, tables: list[tuple[int, BarTable]], *, expected_new: bool) -> float:
    queue = iter(tables)

    async def work() -> None:
        for symbol_id, table in queue:
            async with database.transaction() as transaction:
                await commit_lazily(transaction)
                merged = await merge_history(transaction, symbol_id, M1, table)
                await transaction.commit()
            if merged.new != len(table) * expected_new or merged.corrected:
                raise RuntimeError(f"{merged.new} new and {merged.corrected} corrected of {len(table)} bars")

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(MERGES_AT_ONCE)))
    return sum(len(table) for _, table in tables) / (time.perf_counter() - started)


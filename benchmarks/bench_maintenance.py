"""A month of bars rewritten by the data scheduler's own steps, and by CLUSTER: time, order, and what readers feel.

Fills one month of 1m bars in the order of time, as a collector does, then clusters it, archives it and takes it back
while another connection reads 24 hours of a symbol again and again. Everything there is is hashed before and after, as
text. Prints a table; `--json` prints JSON. `--symbols` scales it down.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
from tracker.domain.clock import SystemClock
from tracker.store.archive import Purpose, read_months
from tracker.store.database import Database
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.maintenance import read_aggregates, refresh_aggregate
from tracker.store.migrate import migrate

from services.data_scheduler.rewriting import Rewriter
from services.data_scheduler.slices import Slice

MONTH = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
FILL = """
INSERT INTO tracker.ohlc_data (symbol_id, timeframe, ts, open, high, low, close, volume, vwap, trades, source)
SELECT s, '1m', ts, 100, 101 + random(), 99, 100.5, random() * 10, 100.2, (random() * 50)::integer, 'stream'
FROM generate_series('2024-01-01Z'::timestamptz, '2024-01-31 23:59Z', '1 minute') ts, generate_series(1, $1::integer) s
ORDER BY ts, s
"""
READ = "SELECT * FROM {} WHERE symbol_id = $1 AND timeframe = '1m' AND ts >= $2 AND ts < $3"
SHAPE = """
SELECT c.relpages AS heap_pages, i.relpages AS key_pages, s.correlation
FROM pg_class c JOIN pg_index x ON x.indrelid = c.oid AND x.indisprimary JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_stats s ON s.tablename = c.relname AND s.attname = 'symbol_id'
WHERE c.relname = $1
"""


class Bench:
    """One database, one month."""

    def __init__(self, url: str, symbols: int) -> None:
        """Nothing is filled yet."""
        self.url = url
        self.symbols = symbols
        self.longest_read = 0.0

    async def run(self) -> dict[str, Any]:
        """Fill, measure and return everything."""
        owner = await asyncpg.connect(self.url)
        database = await Database.open(self.url, role="tracker_data_scheduler", pool_size=2, application="bench")
        try:
            await self._fill(owner)
            found: dict[str, Any] = {"rows": await owner.fetchval("SELECT count(*) FROM tracker.ohlc_data")}
            found["before"] = await self._look(owner, "ohlc_data", "ohlc_data_2024_01")
            before = await self._hash(owner)
            for purpose in Purpose:
                found[purpose.value] = await self._timed("ohlc_all", lambda purpose=purpose: rewrite(database, purpose))
                kind = "ohlc_archive" if purpose is Purpose.ARCHIVE else "ohlc_data"
                found[purpose.value] |= await self._look(owner, kind, f"{kind}_2024_01")
                found[purpose.value]["same bytes"] = await self._hash(owner) == before
            found["reopen"] = await self._timed("ohlc_all", lambda: owner.execute(
                "SELECT tracker.ensure_bar_partitions('2024-01-15Z', '2024-01-15Z')"))
            found["reopen"]["same bytes"] = await self._hash(owner) == before
            found["refresh seconds"] = await self._refresh(database)
            found["CLUSTER"] = await self._cluster(owner)
            return found
        finally:
            await database.close()
            await owner.close()

    async def _fill(self, owner: asyncpg.Connection[Any]) -> None:
        await owner.execute(
            "INSERT INTO tracker.symbols (symbol) SELECT 'S' || lpad(i::text, 2, '0') || '-USD'"
            " FROM generate_series(1, $1::integer) i", self.symbols,
        )
        await owner.execute("SELECT tracker.ensure_bar_partitions('2024-01-01Z', '2024-02-01Z')")
        await owner.execute(FILL, self.symbols)
        await owner.execute("INSERT INTO tracker.bar_watermarks VALUES ('1m', '2024-01-01Z', '2024-02-05Z')")
        await owner.execute("VACUUM ANALYZE tracker.ohlc_data")

    async def _cluster(self, owner: asyncpg.Connection[Any]) -> dict[str, Any]:
        """Return what CLUSTER does to the same rows in the order of time."""
        await owner.execute("CREATE SCHEMA bench; CREATE TABLE bench.plain (LIKE tracker.ohlc_data INCLUDING ALL)")
        await owner.execute("INSERT INTO bench.plain SELECT * FROM tracker.ohlc_data ORDER BY ts, symbol_id")
        await owner.execute("VACUUM ANALYZE bench.plain")
        figures = await self._timed("bench.plain", lambda: owner.execute("CLUSTER bench.plain USING plain_pkey"))
        await owner.execute("ANALYZE bench.plain")
        return figures | await self._look(owner, "bench.plain", "plain")

    async def _timed(self, table: str, work: Callable[[], Awaitable[object]]) -> dict[str, float]:
        async with self._reading(table):
            begun = time.perf_counter()
            await work()
            seconds = time.perf_counter() - begun
        return {"seconds": round(seconds, 2), "longest read ms": round(self.longest_read * 1_000, 1)}

    @asynccontextmanager
    async def _reading(self, table: str) -> AsyncIterator[None]:
        """Read all the while, and remember the read that took longest."""
        reader = await asyncpg.connect(self.url)
        text, done = READ.format(named(table)), asyncio.Event()
        self.longest_read = 0.0

        async def read_on() -> None:
            number = 0
            while not done.is_set():
                begun = time.perf_counter()
                first = MONTH + number % 28 * DAY
                await reader.fetch(text, 1 + number % self.symbols, first, first + DAY)
                self.longest_read = max(self.longest_read, time.perf_counter() - begun)
                number += 1
                await asyncio.sleep(0.02)

        task = asyncio.create_task(read_on())
        try:
            yield
        finally:
            done.set()
            await task
            await reader.close()

    async def _look(self, owner: asyncpg.Connection[Any], table: str, partition: str) -> dict[str, Any]:
        """Return the order on disk, and what a read of 24 hours of a symbol takes."""
        text, taken = READ.format(named(table)), list[float]()
        for number in range(60):
            first = MONTH + number % 28 * DAY
            begun = time.perf_counter()
            await owner.fetch(text, 1 + number % self.symbols, first, first + DAY)
            taken.append(time.perf_counter() - begun)
        plain = text.replace("$1", "1").replace("$2", "'2024-01-10Z'").replace("$3", "'2024-01-11Z'")
        plan = json.loads(await owner.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {plain}"))[0]["Plan"]
        shape = await owner.fetchrow(SHAPE, partition)
        assert shape is not None  # noqa: S101 - the table was analyzed
        return {
            "24h p50 ms": round(statistics.median(taken) * 1_000, 2),
            "24h pages": plan["Shared Hit Blocks"] + plan["Shared Read Blocks"],
            **{name: round(value, 3) for name, value in shape.items()},
        }

    async def _hash(self, owner: asyncpg.Connection[Any]) -> str:
        """Return the hash of every bar as text, in the order of the key."""
        digest = hashlib.sha256()

        async def take(data: bytes) -> None:
            digest.update(data)

        await owner.copy_from_query("SELECT * FROM tracker.ohlc_all ORDER BY symbol_id, timeframe, ts", output=take)
        return digest.hexdigest()

    async def _refresh(self, database: Database) -> dict[str, float]:
        seconds: dict[str, float] = {}
        async with database.transaction() as transaction:
            names = await read_aggregates(transaction)
        for name in names * 2:
            begun = time.perf_counter()
            async with database.transaction() as transaction:
                await refresh_aggregate(transaction, name)
                await transaction.commit()
            seconds[name] = round(time.perf_counter() - begun, 2)
        return seconds


async def rewrite(database: Database, purpose: Purpose) -> None:
    """Rewrite the month as the data scheduler does."""
    async with database.transaction() as transaction:
        months = [each for each in await read_months(transaction) if each.month == MONTH]
    rewriter = Rewriter(database, purpose, timedelta(seconds=10), lambda words: None)
    await rewriter.rewrite(months, Slice(SystemClock(), None))


def named(table: str) -> str:
    """Return a table's name with its schema."""
    return table if "." in table else f"tracker.{table}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=90)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="tracker-bench-") as folder,
        EmbeddedPostgres(Path(folder) / "postgres", Path(folder) / "run") as server,
    ):
        migrate(server.url)
        found = asyncio.run(Bench(server.url, options.symbols).run())
    if options.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    for name, figures in found.items():
        sys.stdout.write(f"{name}: {figures}\n")


if __name__ == "__main__":
    main()

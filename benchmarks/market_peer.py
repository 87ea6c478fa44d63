"""The same questions to DuckDB, over the same bars.

It keeps all months in the order of their key and a table of the newest bars, and need not keep what it replaces; its
commits are durable as ours are.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.market_questions import CONCURRENT, CONNECTIONS, DAY, WINDOW, Concurrent, Effort, day_reads
from benchmarks.market_table import END, SYMBOLS, Market, Span, prices
from benchmarks.timing import Times, times_of

MEMORY = "4GB"
COLUMNS = "ts, open, high, low, close, volume"
HINT = (
    "DuckDB is not installed, so nothing is compared with it: .venv/bin/pip install --require-hashes"
    " -r requirements-bench.lock"
)


def _duckdb() -> Any:
    import duckdb

    return duckdb


def version() -> str | None:
    """Return DuckDB's version, None where it is not installed."""
    try:
        return f"DuckDB {_duckdb().__version__}"
    except ImportError:
        return None


class Peer:
    """One DuckDB file with all bars, made where the folder does not hold it yet."""

    def __init__(self, folder: Path, market: Market, effort: Effort) -> None:
        """Open or build the file."""
        path = folder / "market.duckdb"
        is_new = not path.exists()
        self._market, self._effort = market, effort
        self._db = _duckdb().connect(str(path), config={"threads": 2, "memory_limit": MEMORY})
        started = time.perf_counter()
        if is_new:
            self._build()
        self.build_seconds = time.perf_counter() - started

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _build(self) -> None:
        kinds = ", ".join(f"{name} DOUBLE" for name in ("open", "high", "low", "close", "volume"))
        self._db.execute(f"CREATE TABLE bars (symbol_id SMALLINT, ts BIGINT, {kinds})")
        self._db.execute(f"CREATE TABLE latest (symbol_id SMALLINT PRIMARY KEY, ts BIGINT, {kinds})")
        for span in self._market.spans:
            for symbol_id in range(1, SYMBOLS + 1):
                self._add("INSERT INTO bars", symbol_id, prices(span, symbol_id))
        self._db.execute(
            "INSERT INTO latest SELECT symbol_id, max(ts), arg_max(open, ts), arg_max(high, ts), arg_max(low, ts),"
            " arg_max(close, ts), arg_max(volume, ts) FROM bars WHERE ts >= ? GROUP BY symbol_id",
            [int((END - DAY).timestamp())],
        )
        self._db.execute("CHECKPOINT")

    def _add(self, how: str, symbol_id: int, columns: dict[str, Any]) -> None:
        incoming = {"symbol_id": np.full(len(columns["ts"]), symbol_id, dtype=np.int16), **columns}
        self._db.execute(f"{how} SELECT symbol_id, {COLUMNS} FROM incoming")
        del incoming

    def latest(self) -> Times:
        """Read the newest bar of every symbol."""
        return self._timed(
            lambda _: self._db.execute(f"SELECT symbol_id, {COLUMNS} FROM latest").fetchnumpy(), self._effort.reads
        )

    def day(self, spans: list[Span]) -> Times:
        """Read 24 hours of one symbol."""
        picks = day_reads(spans, 1)
        return self._timed(lambda number: self._day(self._db, *picks[number]), self._effort.reads)

    def window(self) -> Times:
        """Read the last 300 bars of every symbol."""
        newest = self._db.execute("SELECT max(ts) FROM latest").fetchone()[0]
        query = f"SELECT symbol_id, {COLUMNS} FROM bars WHERE ts > ? ORDER BY symbol_id, ts"

        def read(_: int) -> None:
            found = self._db.execute(query, [newest - 60 * WINDOW]).fetchnumpy()
            if len(found["ts"]) != SYMBOLS * WINDOW:
                raise RuntimeError(f"{len(found['ts'])} bars in DuckDB's window")

        return self._timed(read, self._effort.windows)

    def at_once(self) -> Concurrent:
        """Read 24 hours of 100 symbols and days at once."""
        picks = day_reads(self._market.spans, 2)
        cursors = [self._db.cursor() for _ in range(CONNECTIONS)]
        with ThreadPoolExecutor(CONNECTIONS) as pool:

            def round_of(number: int) -> None:
                chosen = picks[number * CONCURRENT : (number + 1) * CONCURRENT]
                # A cursor is for one thread, so each gets its share.
                shares = [chosen[n::CONNECTIONS] for n in range(CONNECTIONS)]
                for done in [pool.submit(self._days, *pair) for pair in zip(cursors, shares, strict=True)]:
                    done.result()

            times = self._timed(round_of, self._effort.rounds, warm=2)
        return Concurrent(times=times, failures=0)

    def ticks(self) -> Times:
        """Store a minute of every symbol, durably."""
        newest = int(self._db.execute("SELECT max(ts) FROM latest").fetchone()[0])
        ids = np.arange(1, SYMBOLS + 1, dtype=np.int16)

        def tick(number: int) -> None:
            level = np.full(SYMBOLS, 100.0)
            incoming = {
                "symbol_id": ids, "ts": np.full(SYMBOLS, newest + 60 * (number + 1)), "open": level, "high": level,
                "low": level, "close": level, "volume": level,
            }  # fmt: skip
            self._db.execute("BEGIN")
            self._db.execute(f"INSERT INTO bars SELECT symbol_id, {COLUMNS} FROM incoming")
            self._db.execute(f"INSERT OR REPLACE INTO latest SELECT symbol_id, {COLUMNS} FROM incoming")
            self._db.execute("COMMIT")
            del incoming

        return self._timed(tick, self._effort.ticks, warm=20)

    def backfill(self) -> float:
        """Merge months of minutes before the oldest ones; return rows a second."""
        oldest = datetime.fromtimestamp(self._db.execute("SELECT min(ts) FROM bars").fetchone()[0], tz=END.tzinfo)
        end = oldest.replace(day=1, hour=0, minute=0)
        month = (end - DAY).replace(day=1)
        span = Span(month=month, first=month, end=end, by_key=True)
        changed = " OR ".join(f"bars.{name} <> i.{name}" for name in ("open", "high", "low", "close", "volume"))
        sets = ", ".join(f"{name} = i.{name}" for name in ("open", "high", "low", "close", "volume"))
        values = ", ".join(f"i.{name.strip()}" for name in ("symbol_id", *COLUMNS.split(",")))
        rows, started = 0, time.perf_counter()
        for symbol_id in range(1, self._effort.chunks + 1):
            columns = prices(span, symbol_id)
            incoming = {"symbol_id": np.full(len(columns["ts"]), symbol_id, dtype=np.int16), **columns}
            self._db.execute(
                "MERGE INTO bars USING (SELECT * FROM incoming) AS i ON bars.symbol_id = i.symbol_id AND bars.ts = i.ts"
                f" WHEN MATCHED AND ({changed}) THEN UPDATE SET {sets}"
                f" WHEN NOT MATCHED THEN INSERT VALUES ({values})"
            )
            rows += len(columns["ts"])
            del incoming
        return rows / (time.perf_counter() - started)

    def _day(self, cursor: Any, symbol_id: int, first: datetime) -> int:
        begin = int(first.timestamp())
        found = cursor.execute(
            f"SELECT {COLUMNS} FROM bars WHERE symbol_id = ? AND ts >= ? AND ts < ? ORDER BY ts",
            [symbol_id, begin, begin + DAY // timedelta(seconds=1)],
        ).fetchnumpy()
        return len(found["ts"])

    def _days(self, cursor: Any, picks: list[tuple[int, datetime]]) -> None:
        for pick in picks:
            self._day(cursor, *pick)

    def _timed(self, work: Any, n: int, warm: int = 5) -> Times:
        for number in range(warm):
            work(number)
        durations: list[float] = []
        for number in range(warm, warm + n):
            started = time.perf_counter()
            work(number)
            durations.append(time.perf_counter() - started)
        return times_of(durations)


"""The table that is measured: minutes of 90 symbols, loaded by COPY into months of their own, two at a time.

Closed months are loaded in the order of their key, which is how `tracker maintain cluster` leaves them; one closed
month and the newest stay in the order of time, which is how live collection writes them.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
from numpy.typing import NDArray
from tracker.domain.timeframe import Timeframe
from tracker.store.bars import advance_watermark
from tracker.store.database import Database
from tracker.store.migrate import migrate
from tracker.store.symbols import read_symbols, write_symbols
from tracker.testing.builders import make_instrument

SYMBOLS = 90
FULL_ROWS = 90 * 385 * 1440
END = datetime(2026, 1, 21, tzinfo=UTC)
# The closed month that is left as live collection wrote it.
UNCLUSTERED = datetime(2025, 6, 1, tzinfo=UTC)
MINUTE = Timeframe.M1.duration
LOADERS = 2
ROWS_AT_ONCE = 400_000
_POSTGRES_EPOCH = 946_684_800
_COLUMNS = (
    ("ts", ">i8", 8), ("open", ">f8", 8), ("high", ">f8", 8), ("low", ">f8", 8), ("close", ">f8", 8),
    ("volume", ">f8", 8), ("vwap", ">f8", 8), ("received_at", ">i8", 8), ("trades", ">i4", 4),
    ("timeframe", "S2", 2), ("source", "S4", 4), ("symbol_id", ">i2", 2), ("revision", ">i2", 2),
)  # fmt: skip
_ROW = np.dtype(
    [("count", ">i2"), *(part for name, kind, _ in _COLUMNS for part in ((f"{name}_length", ">i4"), (name, kind)))]
)
_HEADER, _TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A month of the table: bars open in [first, end); `by_key` or in the order of time."""

    month: datetime
    first: datetime
    end: datetime
    by_key: bool

    @property
    def minutes(self) -> int:
        """Number of minutes."""
        return (self.end - self.first) // MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What was built: the number of rows, its months and how long it took."""

    rows: int
    spans: tuple[Span, ...]
    seconds: float

    @property
    def first(self) -> datetime:
        """Open of the oldest bar."""
        return self.spans[0].first


def spans_of(rows: int) -> tuple[Span, ...]:
    """Cut as many minutes before END as `rows` bars of all symbols make into months."""
    first = END - max(rows // SYMBOLS, 2) * MINUTE
    spans: list[Span] = []
    month = first.replace(day=1, hour=0, minute=0)
    while month < END:
        following = (month + timedelta(days=32)).replace(day=1)
        is_newest = following >= END
        spans.append(
            Span(
                month=month, first=max(month, first), end=min(following, END),
                by_key=month != UNCLUSTERED and not is_newest,
            )
        )
        month = following
    return tuple(spans)


def prices(span: Span, symbol_id: int) -> dict[str, NDArray[Any]]:
    """Return a symbol's bars of a month; the same ones for everybody who asks."""
    generator = np.random.default_rng((symbol_id, int(span.month.timestamp())))
    n = span.minutes
    close = 10.0 * symbol_id * np.exp(np.cumsum(generator.standard_normal(n) * 0.0006))
    opened = np.concatenate((close[:1], close[:-1]))
    spread = np.exp(generator.random(n) * 0.0006)
    return {
        "ts": int(span.first.timestamp()) + 60 * np.arange(n, dtype=np.int64),
        "open": opened,
        "high": np.maximum(opened, close) * spread,
        "low": np.minimum(opened, close) / spread,
        "close": close,
        "volume": np.round(generator.random(n) * 5000, 3),
    }


def rows_of(span: Span) -> NDArray[Any]:
    """Return a month as rows of Postgres' binary COPY format, in the order in which they are to lie."""
    n = span.minutes
    rows = np.zeros((SYMBOLS, n), dtype=_ROW)
    rows["count"] = len(_COLUMNS)
    for name, _, length in _COLUMNS:
        rows[f"{name}_length"] = length
    for symbol_id in range(1, SYMBOLS + 1):
        target = rows[symbol_id - 1]
        for name, values in prices(span, symbol_id).items():
            target[name] = (values - _POSTGRES_EPOCH) * 1_000_000 if name == "ts" else values
        target["symbol_id"] = symbol_id
    rows["vwap"], rows["received_at"] = rows["close"], rows["ts"] + 60_000_000
    rows["timeframe"], rows["source"], rows["trades"] = b"1m", b"rest", 100
    return rows.ravel() if span.by_key else rows.T.ravel()


async def load(url: str, span: Span) -> None:
    """Make one month's partition and fill it."""
    name = f"bench_{span.month:%Y_%m}"
    following = (span.month + timedelta(days=32)).replace(day=1)
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            # Rows in a table that nobody else sees need neither a look at each symbol nor a second pass for vacuum.
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute(
                f"CREATE TABLE tracker.{name} (LIKE tracker.ohlc_data INCLUDING DEFAULTS INCLUDING CONSTRAINTS,"
                f" CONSTRAINT in_month CHECK (ts >= '{span.month}' AND ts < '{following}'))"
            )
            rows = rows_of(span)

            async def chunks() -> Any:
                yield _HEADER
                for chunk in _pieces(rows):
                    yield chunk
                yield _TRAILER

            await connection.copy_to_table(
                name, schema_name="tracker", columns=[column for column, _, _ in _COLUMNS], source=chunks(),
                format="binary", freeze=True,
            )
            await connection.execute(
                f"ALTER TABLE tracker.{name} ADD CONSTRAINT {name}_pkey PRIMARY KEY (symbol_id, timeframe, ts)"
            )
            await connection.execute(f"ALTER TABLE tracker.{name} ENABLE ROW LEVEL SECURITY")
        await connection.execute(f"ANALYZE tracker.{name}")
        await connection.execute("SELECT tracker.attach_month($1, 'ohlc_data', $2)", name, span.month)
    finally:
        await connection.close()


def _pieces(rows: NDArray[Any]) -> Iterator[bytes]:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield rows[start : start + ROWS_AT_ONCE].tobytes()


def _load(url: str, span: Span) -> None:
    asyncio.run(load(url, span))


async def _prepare(url: str) -> None:
    database = await Database.open(url, role=None, pool_size=1, application="bench")
    async with database.transaction() as transaction:
        await write_symbols(transaction, [make_instrument(f"S{number:02d}-USD") for number in range(1, SYMBOLS + 1)])
        ids = [each.symbol_id for each in await read_symbols(transaction)]
        await transaction.commit()
    await database.close()
    if ids != list(range(1, SYMBOLS + 1)):
        raise RuntimeError(f"the symbols of a fresh database have the numbers {ids[:3]}..")


async def _finish(url: str, market: Market) -> None:
    """Do what the collector would have done while the bars came in: newest bars and watermarks."""
    database = await Database.open(url, role=None, pool_size=1, application="bench")
    async with database.transaction() as transaction:
        for symbol_id in range(1, SYMBOLS + 1):
            await transaction.execute("imports.raise_latest", symbol_id, "1m", END - 60 * MINUTE, END)
        for timeframe in Timeframe:
            await advance_watermark(transaction, timeframe, timeframe.floor(market.first), timeframe.floor(END))
        await transaction.commit()
    await database.close()


def build(url: str, folder: Path, rows: int) -> Market:
    """Return the table of that size, building it where the folder does not hold it yet."""
    spans = spans_of(rows)
    count = SYMBOLS * sum(span.minutes for span in spans)
    note = folder / "built.json"
    if note.exists():
        known = json.loads(note.read_text())
        if known["rows"] == count:
            return Market(rows=count, spans=spans, seconds=known["seconds"])
        raise RuntimeError(f"{folder} holds a table of {known['rows']} rows, not {count}: name another --dir")
    migrate(url)
    started = time.perf_counter()
    asyncio.run(_prepare(url))
    with ProcessPoolExecutor(LOADERS) as pool:
        for done in [pool.submit(_load, url, span) for span in spans]:
            done.result()
    market = Market(rows=count, spans=spans, seconds=time.perf_counter() - started)
    asyncio.run(_finish(url, market))
    note.write_text(json.dumps({"rows": count, "seconds": market.seconds}))
    return market


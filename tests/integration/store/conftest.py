"""Bars on both sides of a month's end, which can be archived and written to again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from tracker.domain.bar import Bar
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.store.archive import Purpose, begin_rewrite, copy_next_symbol, seal_rewrite, swap_rewrite
from tracker.store.bars import BarTable, advance_watermark, ensure_partitions, upsert_bars
from tracker.store.database import Database, Transaction
from tracker.store.imports import merge_history
from tracker.store.symbols import read_symbols, write_symbols
from tracker.testing.builders import START, make_bar, make_instrument

FEBRUARY, MARCH, MAY = (datetime(2024, month, 1, tzinfo=UTC) for month in (2, 3, 5))
PATIENCE = timedelta(seconds=20)
COLUMNS = ("ts", "open", "high", "low", "close", "volume")


def minute(number: int) -> datetime:
    """Return the open of the minute so many after the beginning of March 2024."""
    return START + timedelta(minutes=number)


@dataclass(slots=True)
class Shelf:
    """A database of bars, written as the services do."""

    database: Database
    ids: dict[str, int] = field(default_factory=dict[str, int])

    async def list_symbols(self, *names: str) -> None:
        async with self.database.transaction() as transaction:
            await write_symbols(transaction, [make_instrument(name) for name in names])
            self.ids = {each.symbol: each.symbol_id for each in await read_symbols(transaction)}
            await transaction.commit()

    async def make_months(self) -> None:
        """Make the months, or take them back from the archive; whoever does keeps others waiting until the commit."""
        async with self.database.transaction() as transaction:
            await ensure_partitions(transaction, FEBRUARY, MARCH)
            await transaction.commit()

    async def stream(self, transaction: Transaction, bars: Sequence[Bar]) -> None:
        await upsert_bars(transaction, bars, self.ids)

    async def merge(self, transaction: Transaction, symbol: str, numbers: Sequence[int], close: float) -> None:
        """Merge minutes as a backfill does."""
        level = np.full(len(numbers), close)
        table = BarTable(
            ts=np.array([int(minute(number).timestamp()) for number in numbers], dtype=np.int64), open=level,
            high=level + 1, low=level - 1, close=level, volume=level,
        )  # fmt: skip
        await merge_history(transaction, self.ids[symbol], Timeframe.M1, table)

    async def put(self, symbol: str, numbers: Sequence[int], close: float = 100.0) -> None:
        """Stream minutes whose closes rise by one from `close` on."""
        await self.make_months()
        async with self.database.transaction() as transaction:
            bars = [make_bar(number, symbol=symbol, close=close + n) for n, number in enumerate(numbers)]
            await self.stream(transaction, bars)
            await transaction.commit()

    async def close_months(self) -> None:
        """Declare everything up to May complete, so that its months may be archived."""
        async with self.database.transaction() as transaction:
            await advance_watermark(transaction, Timeframe.M1, FEBRUARY, MAY)
            await transaction.commit()

    async def archive(self, month: datetime) -> None:
        """Archive a month; one that already is stays there."""
        async with self.database.transaction() as transaction:
            name = f"tracker.ohlc_data_{month:%Y_%m}"
            if await transaction.connection.fetchval("SELECT to_regclass($1)", name) is None:
                return
            await begin_rewrite(transaction, month, Purpose.ARCHIVE, PATIENCE)
            while await copy_next_symbol(transaction, month) is not None:
                pass
            await seal_rewrite(transaction, month, PATIENCE)
            assert await swap_rewrite(transaction, month, PATIENCE)
            await transaction.commit()

    async def plain(self, symbol: str, timeframe: Timeframe = Timeframe.M1) -> dict[str, list[Any]]:
        """Return all bars of a symbol as columns, read without any of the readers."""
        async with self.database.transaction() as transaction:
            rows = await transaction.connection.fetch(
                f"SELECT {', '.join(COLUMNS)} FROM tracker.ohlc_all"
                " WHERE symbol_id = $1 AND timeframe = $2 ORDER BY ts",
                self.ids[symbol],
                timeframe.value,
            )
        columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in COLUMNS}
        columns["ts"] = [(ts - EPOCH) // timedelta(seconds=1) for ts in columns["ts"]]
        return columns


@pytest.fixture
async def shelf(open_database: Callable[[str | None], Awaitable[Database]]) -> Shelf:
    """An empty shelf with three symbols."""
    made = Shelf(await open_database(None))
    await made.list_symbols("BTC-USD", "ETH-USD", "SOL-USD")
    return made

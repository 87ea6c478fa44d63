"""Real candles in a real database, and calculators at work on them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tracker.domain.bar import Bar
from tracker.domain.errors import DatabaseUnavailableError
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.quant.bars import BarArrays
from tracker.quant.feature_rows import SymbolPast, context_tables, feature_rows
from tracker.quant.features import CONTEXTS
from tracker.quant.features.market import reference_of
from tracker.runtime.candles import read_candles
from tracker.runtime.logging import get_logger
from tracker.runtime.settings import load_settings
from tracker.store.bars import (
    BarTable,
    advance_watermark,
    roll_up,
    upsert_bars,
)
from tracker.store.database import Database, Transaction
from tracker.store.imports import merge_history
from tracker.store.readers import read_range
from tracker.store.symbols import read_symbols, write_symbols
from tracker.testing.builders import make_instrument

from services.feature_calculator.service import FeatureCalculator
from services.feature_calculator.settings import FeatureSettings

# Windows are anchored to blocks of 1000 bars: here starts one of quarter hours, so both sides are looked at.
BLOCK = datetime(2022, 1, 18, 10, tzinfo=UTC)
OPENED, MIDDLE, END = BLOCK - timedelta(hours=8), BLOCK + timedelta(hours=2), BLOCK + timedelta(hours=8)
FRAMES = (Timeframe.H1, Timeframe.M15)
ROLLED = (*FRAMES, Timeframe.D1)


class Failing:
    """A database on which the next commits fail as told: False fails, True passes; then all pass."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.fate: list[bool] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        async with self._database.transaction() as transaction:
            if self.fate and not self.fate.pop(0):
                transaction.commit = self._fail  # type: ignore[method-assign]
            yield transaction

    async def _fail(self) -> None:
        raise DatabaseUnavailableError


@dataclass(slots=True)
class Market:
    """Stored bars, and what the features of them are."""

    owner: Database
    database: Database
    ids: dict[str, int] = field(default_factory=dict[str, int])
    opened: datetime = OPENED
    middle: datetime = MIDDLE
    end: datetime = END

    def failing(self, *fate: bool) -> Failing:
        """Return the calculator's database with commits that fail as told."""
        made = Failing(self.database)
        made.fate = list(fate)
        return made

    def calculator(self, database: Any = None, **settings: Any) -> FeatureCalculator:
        chosen = load_settings(FeatureSettings, {"lookback_hours": 0, **settings})
        return FeatureCalculator(database or self.database, chosen, get_logger("test"))

    async def run(self, calculator: FeatureCalculator) -> int:
        """Run until nothing is left to do; return in how many runs."""
        runs = 1
        while await calculator.run_once():
            runs += 1
        return runs

    async def list_symbols(self, *names: str) -> None:
        async with self.owner.transaction() as transaction:
            await write_symbols(transaction, [make_instrument(name) for name in names])
            self.ids = {each.symbol: each.symbol_id for each in await read_symbols(transaction)}
            await transaction.commit()

    async def store(self, symbol: str, minutes: BarTable, *, roll: bool = True) -> None:
        """Store minutes and roll them up."""
        async with self.owner.transaction() as transaction:
            await merge_history(transaction, self.ids[symbol], Timeframe.M1, minutes)
            for timeframe in ROLLED if roll else ():
                first, last = (EPOCH + timedelta(seconds=int(minutes.ts[index])) for index in (0, -1))
                end = timeframe.floor(last + timedelta(minutes=1))
                await roll_up(transaction, timeframe, timeframe.floor(first), end, [self.ids[symbol]])
            await transaction.commit()

    async def close(
        self, through: datetime, opened: datetime = OPENED, frames: tuple[Timeframe, ...] = ROLLED
    ) -> None:
        """Declare bars complete, as the collector does in one transaction."""
        async with self.owner.transaction() as transaction:
            for timeframe in frames:
                first, end = timeframe.floor(opened), timeframe.floor(through)
                if end > first:
                    await advance_watermark(transaction, timeframe, first, end)
            await transaction.commit()

    async def upsert(self, bar: Bar) -> None:
        async with self.owner.transaction() as transaction:
            await upsert_bars(transaction, [bar], self.ids)
            await transaction.commit()

    async def execute(self, *statements: str) -> None:
        async with self.owner.transaction() as transaction:
            for statement in statements:
                await transaction.connection.execute(statement)
            await transaction.commit()

    async def series(self, timeframe: Timeframe, end: datetime) -> dict[int, BarArrays]:
        async with self.owner.transaction() as transaction:
            tables = await read_range(transaction, timeframe, EPOCH, timeframe.floor(end))
        return {
            number: BarArrays(
                ts=table.ts, open=table.open, high=table.high, low=table.low, close=table.close, volume=table.volume
            )
            for number, table in tables.items()
        }

    async def expected(
        self, symbol: str, timeframe: Timeframe, first: datetime, end: datetime
    ) -> dict[int, NDArray[np.float32]]:
        """Return the features of the bars that open in [first, end), from all stored bars at once."""
        contexts = {
            each.origin: context_tables(each, await self.series(each.timeframe, end), 0) for each in CONTEXTS
        }
        pasts = {
            number: SymbolPast(
                bars=series,
                contexts={origin: tables[number] for origin, tables in contexts.items() if number in tables},
            )
            for number, series in (await self.series(timeframe, end)).items()
        }
        begin = int(first.timestamp())
        rows = feature_rows(pasts, timeframe.seconds, begin, reference=reference_of(self.ids))[self.ids[symbol]]
        return dict(zip(rows.ts.tolist(), rows.values, strict=True))

    async def stored(self, symbol: str, timeframe: Timeframe) -> dict[int, NDArray[np.float32]]:
        """Return the stored features by bar open; a bar with two rows is an error."""
        async with self.owner.transaction() as transaction:
            rows = await transaction.connection.fetch(
                "SELECT extract(epoch FROM ts)::bigint AS ts, values FROM tracker.ml_features"
                " WHERE symbol_id = $1 AND timeframe = $2 ORDER BY ts",
                self.ids[symbol],
                timeframe.value,
            )
        assert len({row["ts"] for row in rows}) == len(rows)
        return {row["ts"]: np.array(row["values"], dtype=np.float32) for row in rows}

    async def rows(self, query: str) -> list[dict[str, Any]]:
        async with self.owner.transaction() as transaction:
            return [dict(row) for row in await transaction.connection.fetch(query)]

    async def through(self) -> dict[str, datetime]:
        async with self.owner.transaction() as transaction:
            rows = await transaction.connection.fetch("SELECT * FROM tracker.feature_watermarks")
        return {row["timeframe"]: row["closed_through"] for row in rows}

    async def features(self, symbol: str = "BTC-USD") -> dict[str, bytes]:
        """Return every stored feature, down to the bit."""
        found: dict[str, bytes] = {}
        for timeframe in FRAMES:
            for ts, values in (await self.stored(symbol, timeframe)).items():
                found[f"{timeframe} {ts}"] = values.tobytes()
        return found

    async def wanted(self, first: datetime, end: datetime, symbol: str = "BTC-USD") -> dict[str, bytes]:
        """Return the features of the bars that open in [first, end) as they should be."""
        found: dict[str, bytes] = {}
        for timeframe in FRAMES:
            for ts, values in (await self.expected(symbol, timeframe, first, end)).items():
                found[f"{timeframe} {ts}"] = values.tobytes()
        return found

    async def forget(self) -> None:
        """Drop all features."""
        await self.execute("TRUNCATE tracker.ml_features, tracker.feature_watermarks")


@pytest.fixture
async def market(open_database: Callable[[str | None], Awaitable[Database]]) -> Market:
    """A database that knows BTC-USD."""
    made = Market(await open_database(None), await open_database("feature_calculator"))
    await made.list_symbols("BTC-USD")
    return made


@pytest.fixture(scope="session")
def bitcoin(shared_candles: Path) -> BarTable:
    """Real minutes of the windows that the tests look at."""
    candles = read_candles(shared_candles / "BTC-PERP_1m_2022-01.csv")
    first, end = candles.ts.searchsorted([(OPENED - timedelta(days=10)).timestamp(), END.timestamp()])
    columns = dict(zip(("ts", "open", "high", "low", "close", "volume"), ("ts", "o", "h", "l", "c", "v"), strict=True))
    return BarTable(**{name: getattr(candles, short)[first:end] for name, short in columns.items()})

"""Real candles with features in a real database, and scanners at work on them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.runtime.candles import read_candles
from tracker.runtime.live_model import LiveModel
from tracker.runtime.logging import get_logger
from tracker.runtime.settings import PROJECT_ROOT, load_settings
from tracker.runtime.strategies import StrategyConfig, load_strategy
from tracker.store.bars import BarTable, advance_watermark, roll_up
from tracker.store.database import Database
from tracker.store.imports import merge_history
from tracker.store.symbols import read_symbols, write_symbols
from tracker.testing.builders import make_instrument

from services.feature_calculator.service import FeatureCalculator
from services.feature_calculator.settings import FeatureSettings
from services.strategy_scanner.service import StrategyScanner
from services.strategy_scanner.settings import ScannerSettings

OPENED = datetime(2022, 1, 18, 6, tzinfo=UTC)


@dataclass(slots=True)
class Floor:
    """Stored bars and features, and scanners."""

    owner: Database
    database: Database
    calculator: FeatureCalculator
    minutes: BarTable
    ids: dict[str, int] = field(default_factory=dict[str, int])
    opened: datetime = OPENED

    def scanner(
        self, strategy: str | StrategyConfig = "swing", *, model: LiveModel | None = None, **settings: Any
    ) -> StrategyScanner:
        chosen = load_settings(ScannerSettings, settings)
        if isinstance(strategy, str):
            strategy = load_strategy(PROJECT_ROOT / "configs", Strategy(strategy))
        return StrategyScanner(self.database, strategy, chosen, get_logger("test"), model=model)

    async def run(self, service: StrategyScanner | FeatureCalculator) -> int:
        """Run until nothing is left to do; return in how many runs."""
        runs = 1
        while await service.run_once():
            runs += 1
        return runs

    async def trade(self, symbol: str, *spans: tuple[datetime, datetime]) -> None:
        """Store the minutes of the given spans as the symbol's, and their roll-ups."""
        async with self.owner.transaction() as transaction:
            await write_symbols(transaction, [make_instrument(symbol)])
            self.ids = {each.symbol: each.symbol_id for each in await read_symbols(transaction)}
            for first, end in spans:
                begin, stop = self.minutes.ts.searchsorted([first.timestamp(), end.timestamp()])
                names = ("ts", "open", "high", "low", "close", "volume")
                table = BarTable(**{name: getattr(self.minutes, name)[begin:stop] for name in names})
                await merge_history(transaction, self.ids[symbol], Timeframe.M1, table)
                for timeframe in (Timeframe.M15, Timeframe.H1):
                    await roll_up(transaction, timeframe, timeframe.floor(first), end, [self.ids[symbol]])
            await transaction.commit()

    async def close(self, through: datetime, *, frames: tuple[Timeframe, ...] = (Timeframe.H1, Timeframe.M15)) -> None:
        """Declare bars complete and compute their features."""
        async with self.owner.transaction() as transaction:
            for timeframe in frames:
                first, end = timeframe.floor(self.opened), timeframe.floor(through)
                if end > first:
                    await advance_watermark(transaction, timeframe, first, end)
            await transaction.commit()
        await self.run(self.calculator)

    async def fetch(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        async with self.owner.transaction() as transaction:
            return [dict(row) for row in await transaction.connection.fetch(query, *arguments)]

    async def execute(self, statement: str) -> None:
        async with self.owner.transaction() as transaction:
            await transaction.connection.execute(statement)
            await transaction.commit()

    async def looks(self, symbol: str | None = None) -> list[dict[str, Any]]:
        """Return every look but for its number and time of writing."""
        return await self.fetch(
            "SELECT decided_at, strategy, symbol_id, decision, reason, market_regime, volatility, signal_strength,"
            " config_hash, metadata, timeframe FROM tracker.scan_history WHERE $1::int IS NULL OR symbol_id = $1"
            " ORDER BY strategy, symbol_id, decided_at",
            None if symbol is None else self.ids[symbol],
        )

    async def signals(self) -> list[dict[str, Any]]:
        """Return every signal but for its number and time of writing."""
        rows = await self.fetch("SELECT * FROM tracker.signals ORDER BY strategy, symbol_id, decided_at")
        return [{name: value for name, value in row.items() if name not in ("signal_id", "created_at")} for row in rows]

    async def forget(self) -> None:
        """Drop all looks and signals."""
        for table in ("scan_history", "signals", "scan_watermarks"):
            await self.execute(f"DELETE FROM tracker.{table}")


def closes(first: datetime, end: datetime) -> list[datetime]:
    """Return the quarter hours in (first, end]."""
    step = timedelta(minutes=15)
    return [first + step * number for number in range(1, (end - first) // step + 1)]


@pytest.fixture(name="closes")
def closes_fixture() -> Callable[[datetime, datetime], list[datetime]]:
    """Quarter hours after a moment, up to and including another."""
    return closes


@pytest.fixture(scope="session")
def minutes(shared_candles: Path) -> BarTable:
    """A month of real minutes."""
    candles = read_candles(shared_candles / "BTC-PERP_1m_2022-01.csv")
    return BarTable(ts=candles.ts, open=candles.o, high=candles.h, low=candles.l, close=candles.c, volume=candles.v)


@pytest.fixture
async def floor(open_database: Callable[[str | None], Awaitable[Database]], minutes: BarTable) -> Floor:
    """A database without bars."""
    settings = load_settings(FeatureSettings, {"lookback_hours": 24})
    calculator = FeatureCalculator(await open_database("feature_calculator"), settings, get_logger("test"))
    return Floor(await open_database(None), await open_database("strategy_scanner"), calculator, minutes)

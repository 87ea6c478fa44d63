"""A database with five months of bars, and what its owner sees of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tracker.runtime.logging import get_logger
from tracker.runtime.maintenance_rules import MaintenanceRules, load_maintenance_rules
from tracker.runtime.settings import PROJECT_ROOT, load_settings
from tracker.store.database import Database
from tracker.testing.clock import FixedClock

from services.data_scheduler.service import DataScheduler
from services.data_scheduler.settings import SchedulerSettings

EVENT_TIME = datetime(2024, 4, 5, 12, tzinfo=UTC)
NOW = datetime(2024, 4, 5, 12, 0, 30, tzinfo=UTC)
SYMBOLS = 3
JANUARY = datetime(2024, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2024, 2, 1, tzinfo=UTC)
MARCH = datetime(2024, 3, 1, tzinfo=UTC)
COLUMNS = "symbol_id, timeframe, ts, open, high, low, close, volume, vwap, trades, source, received_at, revision"


def house_rules(**changes: Any) -> MaintenanceRules:
    """Return the shipped rules with two months kept before the current one; `changes` go into [months]."""
    rules = load_maintenance_rules(PROJECT_ROOT / "configs")
    months = rules.months.model_copy(
        update={"archive_after_months": 2, "lock_patience_seconds": 0.3, **changes}
    )
    return rules.model_copy(update={"months": months})


@dataclass(slots=True)
class BarHouse:
    """December to April; with `house_rules`, December and January go to the archive."""

    open_as: Callable[[str | None], Awaitable[Database]]
    owner: Database
    clock: FixedClock

    async def scheduler(self, rules: MaintenanceRules | None = None) -> DataScheduler:
        """Return a replica of the service with its own connections."""
        settings = load_settings(SchedulerSettings, {"wait_seconds": 0})
        database = await self.open_as("data_scheduler")
        return DataScheduler(database, rules or house_rules(), settings, self.clock, get_logger("test"))

    async def rows(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        async with self.owner.transaction() as transaction:
            return [dict(row) for row in await transaction.connection.fetch(query, *arguments)]

    async def value(self, query: str, *arguments: object) -> Any:
        async with self.owner.transaction() as transaction:
            return await transaction.connection.fetchval(query, *arguments)

    async def execute(self, *statements: str) -> None:
        async with self.owner.transaction() as transaction:
            for statement in statements:
                await transaction.connection.execute(statement)
            await transaction.commit()

    async def exported(self) -> str:
        """Return every bar there is, as text with all its columns."""
        return await self.value(
            f"SELECT string_agg(b::text, E'\\n' ORDER BY symbol_id, timeframe, ts)"
            f" FROM (SELECT {COLUMNS} FROM tracker.ohlc_all) b"
        )

    async def tables(self, kind: str) -> list[str]:
        """Return the months of ohlc_data or ohlc_archive."""
        found = await self.rows(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            f" WHERE i.inhparent = 'tracker.{kind}'::regclass ORDER BY 1"
        )
        return [row["relname"].removeprefix(f"{kind}_") for row in found]

    async def runs(self, task: str) -> list[dict[str, Any]]:
        return await self.rows(
            "SELECT ok, error, seconds, result::text, by_hand FROM tracker.maintenance_runs WHERE task = $1"
            " ORDER BY run_id", task,
        )

    async def lease_expires(self) -> None:
        """Let time pass for whoever holds a lease and does not renew it."""
        await self.execute("UPDATE tracker.service_leases SET expires_at = clock_timestamp()")


async def finish(scheduler: DataScheduler) -> int:
    """Run until nothing is due, and return how many runs it took."""
    runs = 1
    while await scheduler.run_once():
        runs += 1
    return runs


async def fill(house: BarHouse) -> None:
    """Write an hourly minute bar of each symbol, time after time as a collector does."""
    await house.execute(
        "INSERT INTO tracker.symbols (symbol) VALUES ('BTC-USD'), ('ETH-USD'), ('SOL-USD')",
        "SELECT tracker.ensure_bar_partitions('2023-12-01Z', '2024-04-05Z')",
        "INSERT INTO tracker.ohlc_data (symbol_id, timeframe, ts, open, high, low, close, volume, vwap, trades, source)"
        " SELECT s, '1m', ts, 100 + s, 103 + s, 99, 101 + s, extract(day FROM ts), 1.5 * s, nullif(s, 2), 'stream'"
        " FROM generate_series('2023-12-01Z'::timestamptz, '2024-04-05 11:00Z', '1 hour') ts,"
        f" generate_series(1, {SYMBOLS}) s ORDER BY ts, s",
        "INSERT INTO tracker.bar_watermarks VALUES ('1m', '2024-03-01Z', '2024-04-05 12:00Z')",
        "ANALYZE",
    )

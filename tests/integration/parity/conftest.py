"""A whole day of decisions and trades in a real database."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.strategies import RULES
from tracker.runtime.accounts import load_accounts
from tracker.runtime.effective_strategy import LiveStrategy, load_file, values_of, write_version
from tracker.runtime.logging import get_logger
from tracker.runtime.maintenance_rules import MaintenanceRules, TaskName, load_maintenance_rules
from tracker.runtime.parity_looks import LookParity, check_looks
from tracker.runtime.settings import PROJECT_ROOT, load_settings
from tracker.store.config_versions import lock_versions
from tracker.store.database import Database
from tracker.testing.clock import FixedClock

from services.control.settings import ControlSettings
from services.data_scheduler.jobs import run_by_hand
from services.data_scheduler.runs import Run
from services.data_scheduler.service import DataScheduler
from services.data_scheduler.settings import SchedulerSettings
from services.health_monitor.service import HealthMonitor
from services.health_monitor.settings import MonitorSettings
from services.paper_trader.service import PaperTrader
from services.paper_trader.settings import PaperTraderSettings
from services.strategy_scanner.service import StrategyScanner
from services.strategy_scanner.settings import ScannerSettings
from tests.integration.strategy_scanner.conftest import Floor, floor, minutes

__all__ = ["floor", "minutes"]

SYMBOL = "BTC-USD"
DCA = Strategy("dca")
CLOSED = datetime(2022, 1, 19, 1, tzinfo=UTC)


@dataclass(slots=True)
class Nights:
    """What was decided and booked on a day, and who looks at it the night after."""

    floor: Floor
    url: str
    open_as: Callable[[str | None], Awaitable[Database]]
    clock: FixedClock

    def rules(self, slice_seconds: float | None = None) -> MaintenanceRules:
        rules = load_maintenance_rules(PROJECT_ROOT / "configs")
        return rules if slice_seconds is None else rules.model_copy(update={"slice_seconds": slice_seconds})

    def settings(self, configs: Path | None = None) -> SchedulerSettings:
        return load_settings(
            SchedulerSettings, {"database_url": self.url, "config_dir": configs or PROJECT_ROOT / "configs"}
        )

    async def check(self, configs: Path | None = None) -> Run:
        """Run the task to its end, as by hand."""
        database = await self.open_as("data_scheduler")
        return await run_by_hand(
            database, self.rules(), self.settings(configs), self.clock, TaskName.NIGHTLY_PARITY, lambda words: None
        )

    async def scheduler(self, slice_seconds: float) -> DataScheduler:
        database = await self.open_as("data_scheduler")
        return DataScheduler(database, self.rules(slice_seconds), self.settings(), self.clock, get_logger("test"))

    async def reports(self) -> list[dict[str, Any]]:
        return await self.floor.fetch("SELECT * FROM dashboards.parity ORDER BY report_id")

    async def verdict(self) -> tuple[bool, str]:
        """Return whether the monitor holds parity for kept, and what it saw."""
        settings = load_settings(MonitorSettings, {"services": ""})
        monitor = HealthMonitor(await self.open_as("health_monitor"), settings, FixedClock(CLOSED), get_logger("test"))
        await monitor.run_once()
        found = next(each for each in monitor.findings() if each.name == "parity holds")
        return found.ok, found.observed

    async def trader(self, **changes: Any) -> PaperTrader:
        settings = load_settings(PaperTraderSettings, {"signal_grace_seconds": None, **changes})
        database = await self.open_as("paper_trader")
        return PaperTrader(database, load_accounts(settings.config_dir), settings, self.clock, get_logger("test"))

    async def scanned(self, *symbols: str) -> None:
        """Have a day of the recorded market collected as that of some symbols, and scanned."""
        for symbol in symbols:
            await self.floor.trade(symbol, (self.floor.opened - timedelta(days=7), CLOSED))
        await self.floor.close(CLOSED, frames=(Timeframe.H1, Timeframe.M15, Timeframe.M1))
        for strategy in ("dca", "swing", "channel"):
            await self.floor.run(self.floor.scanner(strategy))


@pytest.fixture
async def unscanned(
    floor: Floor, database_url: str, open_database: Callable[[str | None], Awaitable[Database]]
) -> Nights:
    """Nothing collected yet; the clock tells the database's own time."""
    now = (await floor.fetch("SELECT now() AS now"))[0]["now"]
    return Nights(floor, database_url, open_database, FixedClock(now))


@pytest.fixture
async def nights(unscanned: Nights) -> Nights:
    """A day of one symbol, scanned and traded to an hour past midnight."""
    await unscanned.scanned(SYMBOL)
    trader = await unscanned.trader()
    while await trader.run_once():
        pass
    return unscanned


@dataclass(slots=True)
class Fleet:
    """One symbol's market, a scanner that follows what is in force, and the command line."""

    floor: Floor
    configs: Path
    url: str
    control: Database
    scanner: StrategyScanner

    @property
    def settings(self) -> ControlSettings:
        return load_settings(ControlSettings, {"database_url": self.url, "config_dir": self.configs})

    async def write(self, **changes: Any) -> int:
        file = load_file(self.configs, DCA, RULES)
        async with self.control.transaction() as transaction:
            await lock_versions(transaction)
            number = await write_version(
                transaction, file, {**values_of(file.config), **changes}, source="promotion", reason="tried",
                lineage={"variation": "v1"}, made_by="a test",
            )
            await transaction.commit()
        return number

    async def scan(self, hour: int) -> set[str]:
        """Scan up to an hour of the day, and return the hashes that the new looks carry."""
        before = len(await self.floor.looks())
        await self.floor.close(self.floor.opened.replace(hour=hour))
        await self.floor.run(self.scanner)
        looks = sorted(await self.floor.looks(), key=lambda each: each["decided_at"])
        return {each["config_hash"] for each in looks[before:]}

    async def check(self) -> LookParity:
        file = load_file(self.configs, DCA, RULES)
        async with self.control.transaction() as transaction:
            found = await check_looks(transaction, file.config, (None, None))
        assert found is not None
        return found

    async def ask(self, work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
        return await asyncio.to_thread(work, self.settings, *arguments)


@pytest.fixture
async def fleet(
    floor: Floor, database_url: str, open_database: Callable[[str | None], Awaitable[Database]], tmp_path: Path
) -> Fleet:
    """A day of minutes, nothing scanned yet."""
    configs = tmp_path / "configs"
    shutil.copytree(PROJECT_ROOT / "configs", configs)
    await floor.trade("BTC-USD", (floor.opened - timedelta(days=7), datetime(2022, 1, 19, tzinfo=UTC)))
    live = LiveStrategy(configs, DCA, RULES)
    scanner = StrategyScanner(
        floor.database, live.current.config, load_settings(ScannerSettings), get_logger("test"), live
    )
    return Fleet(floor, configs, database_url, await open_database("control"), scanner)

"""Real minutes with their features in a database, and everything that trades on them."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tracker.domain.signal import Strategy
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.quant.features import FEATURE_SET
from tracker.quant.models.scorer import artifact_hash
from tracker.runtime.logging import get_logger
from tracker.runtime.settings import PROJECT_ROOT, load_settings
from tracker.runtime.shadow_config import load_shadow_config, load_swarms
from tracker.runtime.strategies import RULES
from tracker.store.bars import BarTable, advance_watermark, roll_up
from tracker.store.database import Database
from tracker.store.imports import merge_history
from tracker.store.models import NewModel, add_model, crown_model, read_model, retire_model
from tracker.store.scans import advance_scan_watermark
from tracker.store.symbols import read_symbols, write_symbols
from tracker.testing.builders import make_instrument
from tracker.testing.models import make_artifact

from services.feature_calculator.service import FeatureCalculator
from services.feature_calculator.settings import FeatureSettings
from services.shadow_tester.tester import ShadowTester

OPENED = datetime(2022, 1, 18, 6, tzinfo=UTC)
HISTORY = OPENED - timedelta(days=8)
DAYS = 5
# What the scanners and the shadow ask a model for: between what the made-up models give most setups.
THRESHOLD = 0.5
TABLES = (
    "shadow_cursor", "shadow_outcomes", "shadow_returns", "shadow_state", "shadow_testing_scans",
    "shadow_testing_trades", "shadow_variations",
)  # fmt: skip
OWN_COLUMNS = {"updated_at"}

# A few variations of each kind: draws and grids, of parameters and of rules.
SMALL = """
seed = 7
outcomes_every_hours = 1

[gate]
window = "7d"
min_days = 3
min_trades = 10
min_deflated_sharpe = 0.95
min_trade_return = 0.0
min_half_return = 0.0

[[set]]
name = "dca_draws"
strategy = "dca"
count = 6
[set.params]
min_drop_pct = { low = 0.3, high = 1.5 }
drop_atr = { low = 1.0, high = 5.0 }
min_strength = { low = 0.2, high = 0.6 }
rungs = { low = 1, high = 4 }
[set.trading]
"risk.limits.max_open_positions" = [1, 5, 8]

[[set]]
name = "swing_grid"
strategy = "swing"
[set.params]
min_strength = [0.3, 0.5]
stop_atr = { low = 1.5, high = 3.5, steps = 3 }
"""


@dataclass(slots=True, kw_only=True)
class ShadowHouse:
    """Stored bars and features, and a configuration folder of one's own."""

    owner: Database
    calculator: FeatureCalculator
    minutes: BarTable
    configs: Path
    opened: datetime = OPENED
    ids: dict[str, int] = field(default_factory=dict[str, int])

    @classmethod
    def of(cls, owner: Database, features: Database, minutes: BarTable, folder: Path) -> ShadowHouse:
        """Return a house without bars, with the shipped configuration but for a small swarm."""
        configs = folder / "configs"
        shutil.copytree(PROJECT_ROOT / "configs", configs)
        (configs / "shadow.toml").write_text(SMALL)
        settings = load_settings(FeatureSettings, {"lookback_hours": 24})
        calculator = FeatureCalculator(features, settings, get_logger("test"))
        return cls(owner=owner, calculator=calculator, minutes=minutes, configs=configs)

    def tester(self, database: Database, **settings: Any) -> ShadowTester:
        """Return a tester that begins with nothing in memory."""
        config = load_shadow_config(self.configs)
        chosen = {"closes_per_run": 16, "outcomes_every_hours": config.outcomes_every_hours, **settings}
        return ShadowTester(database, load_swarms(self.configs, RULES), get_logger("test"), **chosen)

    async def run(self, tester: ShadowTester) -> None:
        """Run until nothing is left to do."""
        while await tester.run_once():
            pass

    async def trade(self, symbols: Sequence[str], first: datetime, end: datetime) -> None:
        """Store minutes of the recorded market as those of the symbols, each a day later than the one before."""
        async with self.owner.transaction() as transaction:
            await write_symbols(transaction, [make_instrument(symbol) for symbol in symbols])
            self.ids = {each.symbol: each.symbol_id for each in await read_symbols(transaction)}
            for number, symbol in enumerate(symbols):
                shift = number * 86_400
                begin, stop = self.minutes.ts.searchsorted([first.timestamp() - shift, end.timestamp() - shift])
                columns = {name: getattr(self.minutes, name)[begin:stop] for name in ("open", "high", "low", "close")}
                table = BarTable(
                    ts=self.minutes.ts[begin:stop] + shift, volume=self.minutes.volume[begin:stop], **columns
                )
                await merge_history(transaction, self.ids[symbol], Timeframe.M1, table)
                for timeframe in (Timeframe.M15, Timeframe.H1, Timeframe.D1):
                    await roll_up(transaction, timeframe, timeframe.floor(first), end, [self.ids[symbol]])
            await transaction.commit()

    async def close(self, through: datetime, *, scanned: bool = True) -> None:
        """Declare bars complete and compute their features, and declare them scanned without a model."""
        async with self.owner.transaction() as transaction:
            for timeframe in (Timeframe.D1, Timeframe.H1, Timeframe.M15, Timeframe.M1):
                first, end = timeframe.floor(self.opened), timeframe.floor(through)
                if end > first:
                    await advance_watermark(transaction, timeframe, first, end)
            await transaction.commit()
        while await self.calculator.run_once():
            pass
        if scanned:
            await self.scan(through)

    async def scan(self, through: datetime) -> None:
        """Declare closes decided on by all strategies."""
        async with self.owner.transaction() as transaction:
            for strategy in strategies(self):
                await advance_scan_watermark(transaction, strategy, Timeframe.M15, Timeframe.M15.floor(through))
            await transaction.commit()

    async def add_model(self, strategy: str, seed: int) -> int:
        """Store a candidate that may score everything and return its number."""
        artifact = make_artifact(seed)
        new = NewModel(
            strategy=strategy, learnt_through=EPOCH, window_from=EPOCH, known_from=EPOCH, feature_hash=FEATURE_SET.hash,
            label_config="l", config_hash=f"c{seed}", sha256=artifact_hash(artifact), artifact=artifact,
            artifact_path=None, calibration={"slope": 1.0, "intercept": 0.0}, metrics={}, lineage={}, card="<p>",
            importance=[],
        )  # fmt: skip
        async with self.owner.transaction() as transaction:
            model_id, _ = await add_model(transaction, new)
            await transaction.commit()
        return model_id

    async def promote(self, model_id: int) -> None:
        """Make a model its strategy's champion."""
        async with self.owner.transaction() as transaction:
            await crown_model(transaction, await read_model(transaction, model_id), "promote", "test", "better")
            await transaction.commit()

    async def retire(self, model_id: int) -> None:
        """Take a model out of use."""
        async with self.owner.transaction() as transaction:
            await retire_model(transaction, await read_model(transaction, model_id), "test", "of no use")
            await transaction.commit()

    async def fetch(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        """Return rows as the owner sees them."""
        async with self.owner.transaction() as transaction:
            return [dict(row) for row in await transaction.connection.fetch(query, *arguments)]

    async def execute(self, statement: str) -> None:
        """Change something behind the tester's back."""
        async with self.owner.transaction() as transaction:
            await transaction.connection.execute(statement)
            await transaction.commit()

    async def rows(self, *but: str) -> dict[str, list[dict[str, Any]]]:
        """Return everything the tester has written but for when."""
        found: dict[str, list[dict[str, Any]]] = {}
        for table in TABLES:
            if table not in but:
                rows = await self.fetch(f"SELECT * FROM tracker.{table}")
                kept = [{name: value for name, value in row.items() if name not in OWN_COLUMNS} for row in rows]
                found[table] = sorted(kept, key=repr)
        return found

    async def forget(self) -> None:
        """Empty the shadow's tables."""
        await self.execute("TRUNCATE " + ", ".join(f"tracker.{table}" for table in TABLES))


def work(variables: Mapping[str, str]) -> None:
    """Be the worker's process, with these in its environment."""
    os.environ.update(variables)
    sys.argv = ["worker"]
    from services.shadow_tester.worker import main

    main()


def strategies(house: ShadowHouse) -> list[Strategy]:
    """Return the strategies that have variations."""
    return list(load_shadow_config(house.configs).strategies)

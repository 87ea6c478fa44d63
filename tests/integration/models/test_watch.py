"""A champion that fails live is demoted, to the one before it or to the rule, and the health monitor says it."""

from __future__ import annotations

import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from tracker.domain.timeframe import EPOCH
from tracker.quant.features import FEATURE_SET
from tracker.quant.learning.drift import distributions_of
from tracker.quant.learning.watch import Action
from tracker.quant.models.scorer import artifact_hash
from tracker.runtime.findings import document as document_of
from tracker.runtime.logging import get_logger
from tracker.runtime.model_watch import KEPT, Look, watch_all
from tracker.runtime.models_config import load_watch_limits
from tracker.runtime.settings import PROJECT_ROOT, load_settings
from tracker.store.database import Database
from tracker.store.models import NewModel, add_model, crown_model, read_model
from tracker.testing.clock import FixedClock
from tracker.testing.models import make_artifact

from services.control.models_watch import document
from services.control.models_watch_view import watch_view
from services.health_monitor.service import HealthMonitor
from services.health_monitor.settings import MonitorSettings

NOW = datetime(2024, 3, 1, tzinfo=UTC)
LIMITS = load_watch_limits(PROJECT_ROOT / "configs")


@dataclass(slots=True)
class Registry:
    """A strategy that scanned to NOW, its models, and what they said."""

    owner: Database
    database: Database
    monitor: HealthMonitor
    clock: FixedClock

    async def execute(self, *statements: str) -> None:
        async with self.owner.transaction() as transaction:
            for statement in statements:
                await transaction.connection.execute(statement)
            await transaction.commit()

    async def fetch(self, query: str) -> list[dict[str, Any]]:
        async with self.owner.transaction() as transaction:
            return [dict(row) for row in await transaction.connection.fetch(query)]

    async def promoted(self, seed: int, known_from: datetime = NOW - timedelta(days=10)) -> int:
        artifact = make_artifact(seed)
        new = NewModel(
            strategy="swing", learnt_through=EPOCH, window_from=EPOCH, known_from=known_from,
            feature_hash=FEATURE_SET.hash, label_config="l", config_hash=f"c{seed}", sha256=artifact_hash(artifact),
            artifact=artifact, artifact_path=None, calibration={"slope": 1.0, "intercept": 0.0},
            metrics={"base_rate": 0.45, "window": {"brier": 0.24, "mean_return": 0.004}}, lineage={}, card="<p>",
            importance=[(FEATURE_SET.names[0], 1.0, 0.0)],
        )  # fmt: skip
        async with self.database.transaction() as transaction:
            model_id, _ = await add_model(transaction, new)
            await crown_model(transaction, await read_model(transaction, model_id), "promote", "test", "better")
            await transaction.commit()
        return model_id

    async def said(self, model_id: int, won: str) -> None:
        """Have a model give 0.6 to a setup every hour of 25 days; `won` is SQL of the hour n."""
        await self.execute(
            "DELETE FROM tracker.strategy_labels", "DELETE FROM tracker.predictions",
            "INSERT INTO tracker.predictions (strategy, config_hash, symbol_id, decided_at, model_id, is_champion,"
            " margin, probability, threshold, is_signal, taken)"
            f" SELECT 'swing', 's', 1, {AT}, {model_id}, true, 0.4, 0.6, 0.55, true, true"
            " FROM generate_series(1, 600) n",
            "INSERT INTO tracker.strategy_labels (strategy, config_hash, symbol_id, feature_set, side, decided_at,"
            " exit_at, outcome, market_regime, volatility, is_signal, confirmations, strength, entry, weight, features,"
            " entry_price, exit_price, gross_return, net_return, bars_to_exit, exit_reason)"
            " SELECT 'swing', 'l', 1, 1, 'long', t, t + interval '1 hour', CASE WHEN w THEN 'win' ELSE 'loss' END,"
            " 'range', 'low', true, 2, 1, 1, 1, '{}', 1, 1, 0, CASE WHEN w THEN 0.01 ELSE -0.01 END, 4, 'stop' FROM ("
            f" SELECT {AT} AS t, {won} AS w FROM generate_series(1, 600) n) hours",
        )

    async def watch(self, *, act: bool = True) -> Look:
        async with self.database.transaction() as transaction:
            (found,) = await watch_all(transaction, LIMITS, "test", act=act)
            await transaction.commit()
        return found

    async def findings(self) -> dict[str, dict[str, Any]]:
        self.clock.advance(60)
        await self.monitor.run_once()
        models = (document_of(each) for each in self.monitor.findings() if each.group == "ml")
        return {each["name"]: each for each in models if each["name"].endswith(" swing")}


def printed(look: Look) -> str:
    out = io.StringIO()
    Console(file=out, width=200).print(watch_view({"strategies": [document(look)]}))
    return out.getvalue()


ABOUT = ("age", "calibration", "drift")
AT = "timestamptz '2024-03-01 00:00Z' - n * interval '1 hour' - interval '2 hours'"


@pytest.fixture
async def registry(open_database: Callable[[str | None], Awaitable[Database]]) -> Registry:
    """No model yet."""
    clock = FixedClock(NOW)
    settings = load_settings(MonitorSettings, {"services": ""})
    monitor = HealthMonitor(await open_database("health_monitor"), settings, clock, get_logger("test"))
    made = Registry(await open_database(None), await open_database("ml_retrainer"), monitor, clock)
    await made.execute(
        "INSERT INTO tracker.symbols (symbol) VALUES ('BTC-USD')",
        f"INSERT INTO tracker.scan_watermarks VALUES ('swing', '15m', '{NOW.isoformat()}')",
        f"INSERT INTO tracker.feature_sets (version, names, hash) VALUES ('x', '{{}}', '{FEATURE_SET.hash}')",
        "INSERT INTO tracker.label_configs VALUES ('l', 'swing', '15m', 's', '{}', '{}')",
    )
    return made


async def test_without_a_champion_nothing_is_wrong_and_it_is_said(registry: Registry) -> None:
    look = await registry.watch()
    assert (look.model_id, look.watched) == (None, None)
    assert document(look)["says"] == "no champion: the rule decides"
    found = await registry.findings()
    assert set(found) >= {"model age swing", "model calibration swing", "model drift swing", "model demoted swing"}
    demoted = found["model demoted swing"]
    assert (demoted["ok"], demoted["observed"]) == (True, "none was demoted")
    said = {(found[f"model {name} swing"]["ok"], found[f"model {name} swing"]["observed"]) for name in ABOUT}
    assert said == {(True, "no champion: the rule decides")}


async def test_a_failing_champion_gives_its_place_to_the_one_before_and_then_to_the_rule(registry: Registry) -> None:
    first, second = await registry.promoted(1), await registry.promoted(2)
    await registry.said(second, "n % 5 < 3")
    good = await registry.watch()
    assert good.watched is not None
    assert (good.watched.action, good.acted) == (Action.KEEP, False)
    assert good.figures is not None
    assert (good.figures.labels, good.figures.trades) == (600, 600)
    assert good.figures.bias == pytest.approx(0.0, abs=1e-6)
    assert good.figures.mean_return == pytest.approx(0.002)
    assert (await registry.findings())["model calibration swing"]["ok"]

    await registry.said(second, "n % 5 < 1")
    seen = await registry.watch(act=False)
    assert seen.watched is not None
    assert (seen.watched.action, seen.acted) == (Action.DEMOTE, False)
    finding = (await registry.findings())["model calibration swing"]
    assert not finding["ok"]
    assert "share won less probability, at best is -0.39" in finding["observed"]
    assert "mean net return of a trade, at best" in printed(seen)

    done = await registry.watch()
    assert (done.acted, done.successor_id) == (True, first)
    assert document(done)["says"].endswith(f"demoted, model {first} decides")
    statuses = await registry.fetch("SELECT model_id, status FROM tracker.models ORDER BY model_id")
    assert [each["status"] for each in statuses] == ["champion", "retired"]
    assert (await registry.findings())["model calibration swing"]["observed"] == f"model {first} was not looked at yet"

    told = (await registry.findings())["model demoted swing"]
    assert not told["ok"]
    assert told["observed"].startswith(f"model {second} 0 h ago: ")
    assert told["observed"].endswith(f"; model {first} decides")

    await registry.said(first, "n % 5 < 1")
    last = await registry.watch()
    assert (last.acted, last.successor_id) == (True, None)
    assert document(last)["says"].endswith("demoted, the rule decides")
    assert (await registry.watch()).model_id is None
    rows = await registry.fetch(
        "SELECT model_id, action, acted, labels, bias FROM dashboards.model_performance ORDER BY performance_id"
    )
    assert [(row["model_id"], row["action"], row["acted"]) for row in rows] == [
        (second, "keep", False), (second, "demote", False), (second, "demote", True), (first, "demote", True),
    ]  # fmt: skip
    events = await registry.fetch("SELECT action, reason FROM tracker.model_events ORDER BY event_id")
    assert [each["action"] for each in events] == ["promote", "promote", "demote", "demote"]
    assert "mean net return of a trade" in events[2]["reason"]


async def test_an_old_champion_is_said_to_be_old(registry: Registry) -> None:
    model_id = await registry.promoted(1, known_from=NOW - timedelta(days=31))
    look = await registry.watch()
    assert look.watched is not None
    assert look.watched.action is Action.RETRAIN
    finding = (await registry.findings())["model age swing"]
    assert (finding["ok"], finding["observed"]) == (False, f"model {model_id} is 31.0 days old")
    drift = (await registry.findings())["model drift swing"]
    assert (drift["ok"], drift["observed"]) == (True, f"model {model_id}: too little is known yet")


@pytest.mark.parametrize(("moved_by", "action"), [(0.0, Action.KEEP), (3.0, Action.RETRAIN)])
async def test_features_that_moved_ask_for_training(registry: Registry, moved_by: float, action: Action) -> None:
    model_id = await registry.promoted(1)
    names, width = FEATURE_SET.names, len(FEATURE_SET.names)
    learnt = {
        "labels": {"strategy": "swing", "config_hash": "l", "timeframe": "15m", "signals_only": False},
        "learnt_from": (NOW - timedelta(days=400)).isoformat(),
    }
    values = f"(SELECT array_agg((random() + {{}})::real) FROM generate_series(1, {width}) c WHERE n > 0)"
    await registry.said(model_id, "n % 5 < 3")
    await registry.execute(
        f"UPDATE tracker.feature_sets SET names = ARRAY{list(names)}",
        f"UPDATE tracker.models SET lineage = '{json.dumps(learnt)}', learnt_through = {AT.replace('n *', '700 *')}",
        "INSERT INTO tracker.ml_features (symbol_id, timeframe, ts, feature_set, values) SELECT 1, '15m',"
        f" {AT} - interval '15 minutes', 1, {values.format(moved_by)} FROM generate_series(1, 600) n",
        "INSERT INTO tracker.strategy_labels (strategy, config_hash, symbol_id, feature_set, side, decided_at, exit_at,"
        " outcome, market_regime, volatility, is_signal, confirmations, strength, entry, weight, features, entry_price,"
        " exit_price, gross_return, net_return, bars_to_exit, exit_reason) SELECT 'swing', 'l', 1, 1, 'long', t,"
        " t + interval '1 hour', 'win', 'range', 'low', true, 2, 1, 1, 1, f, 1, 1, 0, 0.01, 4, 'stop' FROM ("
        f" SELECT {AT} AS t, {values.format(0)} AS f FROM generate_series(701, 2700) n) hours",
        "UPDATE tracker.strategy_labels SET mae = 0, mfe = 0",
    )
    look = await registry.watch()
    assert look.figures is not None
    assert look.watched is not None
    assert (look.figures.drift_rows, len(look.drift)) == (600, width)
    assert look.watched.action is action
    assert look.drift_from == "its newest 2000 labels: the model does not say how its features were distributed"
    assert look.drift_from in " ".join(printed(look).split())
    finding = (await registry.findings())["model drift swing"]
    assert finding["ok"] == (action is Action.KEEP)
    assert "drift: share of the gain from features that moved is" in finding["observed"]
    rows = await registry.fetch("SELECT most_moved_psi, drifted_share FROM dashboards.model_performance")
    assert rows[0]["drifted_share"] == (0.0 if action is Action.KEEP else 1.0)

    # A model that keeps how its features were distributed needs no labels any more.
    kept = distributions_of(names, np.random.default_rng(1).random((2_000, width)).astype(np.float32))
    await registry.execute(
        "DELETE FROM tracker.strategy_labels",
        f"UPDATE tracker.models SET distribution = '{json.dumps([asdict(each) for each in kept])}'",
    )
    look = await registry.watch()
    assert look.watched is not None
    assert (look.watched.action, look.drift_from) == (action, KEPT)
    await registry.execute("UPDATE tracker.models SET distribution = NULL")
    look = await registry.watch()
    assert look.drift == ()
    assert look.drift_from.startswith("nothing: the model does not say how its features were distributed, and its")

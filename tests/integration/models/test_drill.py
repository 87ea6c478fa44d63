"""A model that lives on a planted edge is promoted by the whole gate, earns, and is demoted once the edge is gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from model_world import CONFIG_DIR, OpenDatabase
from tracker.quant.features import FEATURE_SET
from tracker.quant.learning.model import Trained
from tracker.quant.learning.samples import Samples
from tracker.quant.learning.settings import ModelsConfig
from tracker.quant.learning.watch import Action
from tracker.quant.models.scorer import artifact_hash
from tracker.runtime.model_watch import KEPT
from tracker.runtime.models_config import load_models_config, load_watch_limits
from tracker.store.database import Database
from tracker.store.models import NewModel, add_model, crown_model, read_model
from tracker.testing.label_world import START
from tracker.testing.model_drill import STRATEGY, WHICH, Desks, Drill, DrillPlan, moment, run_drill, small

LIMITS = load_watch_limits(CONFIG_DIR)
PLAN = DrillPlan(seed=1, edge=1.2, symbols=8, per_day=8.0, learn_days=100)


@pytest.fixture
async def desks(open_database: OpenDatabase) -> Desks:
    """Each table by whose it is."""
    names = ("data_collector", "feature_calculator", "strategy_scanner", "ml_retrainer")
    return Desks(**{name: await open_database(name) for name in names})


@pytest.fixture(scope="session")
def drill_config() -> ModelsConfig:
    """All that the shipped gate asks for, with a smaller budget of tries."""
    return small(load_models_config(CONFIG_DIR))


async def rows(database: Database, query: str) -> list[Mapping[str, Any]]:
    async with database.transaction() as transaction:
        return [dict(row.items()) for row in await transaction.connection.fetch(query)]


@pytest.mark.timeout(120)
async def test_an_edge_is_promoted_earns_and_is_demoted_to_the_one_before_once_it_is_gone(
    desks: Desks, drill_config: ModelsConfig, made: tuple[Samples, Trained, Trained], open_database: OpenDatabase
) -> None:
    first = await _champion_of_noise(desks, made[2])
    drill = await run_drill(desks, PLAN, drill_config, LIMITS)
    assert drill.promoted, drill.failed
    assert drill.live is not None
    assert drill.rule is not None
    assert drill.after is not None
    # It earns more than all setups do, for sure, and nothing any more without the edge.
    assert drill.live.bound > 0
    assert drill.live.mean > drill.rule.mean
    assert drill.after.mean < 0.25 * drill.live.mean
    assert drill.days_to_demotion is not None
    assert 0 < drill.days_to_demotion <= PLAN.bad_days

    look = drill.look
    assert look is not None
    assert look.watched is not None
    assert (look.watched.action, look.successor_id, look.drift_from) == (Action.DEMOTE, first, KEPT)
    assert look.figures is not None
    # The market is the same, only what it means is not: drift has nothing to say, the outcomes have.
    assert (look.figures.drift_rows > LIMITS.min_drift_rows, look.figures.drifted) == (True, 0)
    owner = await open_database(None)
    assert await rows(owner, "SELECT model_id, status FROM tracker.models ORDER BY model_id") == [
        {"model_id": first, "status": "champion"}, {"model_id": drill.model_id, "status": "retired"},
    ]  # fmt: skip
    events = await rows(owner, "SELECT * FROM tracker.model_events ORDER BY event_id")
    assert [(each["action"], each["champion_id"]) for each in events] == [
        ("promote", first), ("promote", drill.model_id), ("demote", first),
    ]  # fmt: skip
    assert events[-1]["model_id"] == drill.model_id
    assert events[-1]["reason"] == "; ".join(each.sentence for each in look.watched.broken)
    verdict = await rows(owner, "SELECT * FROM tracker.model_verdicts ORDER BY verdict_id DESC LIMIT 1")
    assert [verdict[0][name] for name in ("passed", "forced", "promoted")] == [True, False, True]


@pytest.mark.timeout(120)
async def test_noise_is_never_promoted(desks: Desks, drill_config: ModelsConfig) -> None:
    drill: Drill = await run_drill(desks, DrillPlan(seed=3, edge=0.0, symbols=8, per_day=8.0, learn_days=100),
                                   drill_config, LIMITS)  # fmt: skip
    assert not drill.promoted
    assert drill.look is None


def shifted(market: Samples) -> Samples:
    """Return the market with the features of each symbol's next setup."""
    features = market.features.copy()
    for symbol in np.unique(market.symbol):
        rows = np.flatnonzero(market.symbol == symbol)
        features[rows[:-1]] = market.features[rows[1:]]
    return replace(market, features=features)


def shuffled(market: Samples) -> Samples:
    """Return the market with its outcomes dealt anew."""
    order = np.random.default_rng(7).permutation(len(market))
    return replace(market, won=market.won[order], net_return=market.net_return[order])


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("labelled", "caught_by"),
    [
        (shifted, "feature rows unlike the live ones"),
        (shuffled, "lower bound of the log-loss gained on the base rate"),
    ],
)
async def test_labels_that_know_or_say_something_else_are_refused(
    desks: Desks, drill_config: ModelsConfig, labelled: Callable[[Samples], Samples], caught_by: str
) -> None:
    drill = await run_drill(desks, PLAN, drill_config, LIMITS, labelled)
    assert caught_by in drill.failed


async def _champion_of_noise(desks: Desks, noise: Trained) -> int:
    """Have a model that knows nothing decide, as one that a person forced."""
    artifact = noise.fitted.artifact
    new = NewModel(
        strategy=STRATEGY, learnt_through=moment(START), window_from=moment(START), known_from=moment(START),
        feature_hash=FEATURE_SET.hash, label_config=WHICH.config_hash, config_hash="noise",
        sha256=artifact_hash(artifact), artifact=artifact, artifact_path=None,
        calibration={"slope": noise.calibration.slope, "intercept": noise.calibration.intercept},
        metrics={"base_rate": noise.base_rate, "window": {"brier": 0.25, "mean_return": float(np.nan)}}, lineage={},
        card="<p>", importance=[],
    )  # fmt: skip
    async with desks.ml_retrainer.transaction() as transaction:
        model_id, _ = await add_model(transaction, new)
        await crown_model(transaction, await read_model(transaction, model_id), "promote", "test", "a drill")
        await transaction.commit()
    return model_id

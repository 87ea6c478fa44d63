"""A database with labels of a made-up market, and a small budget to learn from them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from model_world import CONFIG_DIR, EDGE, LABELS, WHICH, OpenDatabase, World
from tracker.quant.features import FEATURE_SET
from tracker.quant.learning.model import Trained, train
from tracker.quant.learning.samples import Samples
from tracker.quant.learning.settings import ModelsConfig
from tracker.runtime.models_config import load_models_config
from tracker.store.features import register_feature_set
from tracker.store.symbols import write_symbols
from tracker.testing.builders import make_instrument
from tracker.testing.label_world import make_samples
from tracker.testing.stored_labels import store_labels


@pytest.fixture(scope="session")
def small_config() -> ModelsConfig:
    """The shipped one with a smaller budget, and without what only a live fleet can show."""
    found = load_models_config(CONFIG_DIR)
    plan = replace(found.training, trials=2, folds=2, most_rounds=80, patience=10, min_labels=500)
    gate = replace(found.gate, bootstraps=400, min_as_of_rows=0, min_shadow_hours=0.0)
    return replace(found, training=plan, gate=gate)


@pytest.fixture(scope="session")
def made(small_config: ModelsConfig) -> tuple[Samples, Trained, Trained]:
    """Samples with the live features' names, and a model of them and one of noise."""
    names = FEATURE_SET.names
    samples = make_samples(1, days=110, symbols=8, edge=EDGE, names=names, features=len(names), per_day=8.0)
    noise = make_samples(2, days=100, symbols=8, names=names, features=len(names), per_day=8.0)
    return samples, train(samples, small_config, {}), train(noise, small_config, {})


@pytest.fixture
async def world(
    open_database: OpenDatabase, made: tuple[Samples, Trained, Trained], small_config: ModelsConfig
) -> World:
    """Store the samples as labels."""
    samples, edged, blind = made
    collector = await open_database("data_collector")
    async with collector.transaction() as transaction:
        await write_symbols(transaction, [make_instrument(f"S{each}-USD") for each in range(8)])
        await transaction.commit()
    calculator = await open_database("feature_calculator")
    async with calculator.transaction() as transaction:
        number = await register_feature_set(transaction, FEATURE_SET)
        await transaction.commit()
    database = await open_database("ml_retrainer")
    async with database.transaction() as transaction:
        await store_labels(transaction, samples, number, LABELS)
        await transaction.commit()
    return World(
        database=database, config=small_config, which=WHICH, samples=samples, edged=edged, blind=blind
    )

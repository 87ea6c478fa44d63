"""`tracker train` and `tracker models` on a database, here and on a cluster of two processes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster
from model_world import CONFIG_DIR, OpenDatabase, World
from tracker.domain.errors import InputError
from tracker.domain.signal import Strategy
from tracker.quant.features import FEATURE_SET
from tracker.quant.learning.model import train
from tracker.quant.learning.samples import settled
from tracker.runtime.cluster import cluster_of
from tracker.runtime.labels import effective_label_work
from tracker.runtime.model_data import moment
from tracker.runtime.model_work import train_all
from tracker.runtime.settings import environment, load_settings
from tracker.runtime.strategies import load_rules, load_strategies
from tracker.store.features import find_feature_set
from tracker.testing.stored_labels import store_labels

from services.control.settings import ControlSettings
from services.control.train import TrainRequest, train_at


def tracker(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.control", *arguments],
        env={**environment(), "DATABASE_URL": url}, capture_output=True, text=True, check=False, timeout=110,
    )


def said(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def test_processes_here_and_a_cluster_make_the_same_model(world: World, tmp_path: Path) -> None:
    samples = {"swing": world.samples}
    here = train_all(tmp_path / "here", samples, world.config, 2)["swing"]
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            client.wait_for_workers(2, timeout=60)
        with cluster_of(cluster.scheduler_address):
            there = train_all(tmp_path / "there", samples, world.config, -1)["swing"]
    alone = train(world.samples, world.config, world.config.monotone["swing"])
    assert here.fitted.artifact == there.fitted.artifact == alone.fitted.artifact
    assert here.calibration == there.calibration == alone.calibration
    assert repr(here.tried) == repr(there.tried) == repr(alone.tried)


async def test_models_from_labels_to_champion_by_command(
    world: World, open_database: OpenDatabase, database_url: str, tmp_path: Path
) -> None:
    which = await _labels_in_force(world, open_database)
    settings = load_settings(ControlSettings)
    assert Path(settings.config_dir).resolve() == CONFIG_DIR.resolve()
    now = moment(int(world.samples.exit_at.max()))
    request = TrainRequest(strategy=None, executor="local", dask=None, jobs=1, seed=None, now=now)
    # In a thread of its own, as a command has its own loop.
    report = await _in_thread(lambda: train_at(database_url, settings, request, world.config))
    assert [each["strategy"] for each in report["models"]] == ["swing"]
    assert {each["strategy"] for each in report["refused"]} == {"dca", "channel"}
    number = report["models"][0]["model_id"]
    assert report["models"][0]["labels"] < len(settled(world.samples))
    assert which

    listed = said(tracker(database_url, "models", "list", "--json"))
    assert [(each["model_id"], each["status"]) for each in listed["models"]] == [(number, "candidate")]
    card = tmp_path / "card.html"
    shown = said(tracker(database_url, "models", "show", str(number), "--card", str(card), "--json"))
    assert shown["lineage"]["seed"] == world.config.training.seed
    assert "What the gate says" in card.read_text()

    refused = tracker(database_url, "models", "promote", str(number))
    # The shipped gate asks for live scores, which nobody has given yet.
    assert refused.returncode == 1
    assert "stays a candidate" in refused.stdout
    assert "- hours of live scores with outcomes: 0 (at least 24)" in refused.stdout
    forced = said(tracker(database_url, "models", "promote", str(number), "--force", "--reason", "a drill", "--json"))
    assert forced["promoted"]
    assert forced["forced"]
    retired = tracker(database_url, "models", "retire", str(number), "--reason", "the drill is over")
    assert "decides by rule alone" in retired.stdout
    text = tracker(database_url, "models", "list").stdout
    assert "retire of model" in text
    assert "the drill is over" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["models", "show", "99"], "model 99: there is no such model"),
        (["models", "promote", "99"], "model 99: there is no such model"),
        (["models", "rollback", "swing", "--reason", "x"], "swing has no champion to roll back from"),
        (["models", "retire", "99", "--reason", "x"], "model 99: there is no such model"),
        (["train", "--executor", "moon"], "--executor: 'moon' is not one of local, dask"),
        (["train", "--executor", "dask"], "--executor dask needs --dask"),
        (["train", "--strategy", "nope"], "--strategy: there is no nope; known are"),
        (["train", "--strategy", "swing"], "swing: there are no features yet"),
    ],
)
def test_a_mistake_is_one_sentence(database_url: str, arguments: Sequence[str], sentence: str) -> None:
    done = tracker(database_url, *arguments)
    assert done.returncode == 2, done.stdout
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


async def _labels_in_force(world: World, open_database: OpenDatabase) -> str:
    """Store the world's labels a second time, as those of the swing configuration that is in force."""
    database = await open_database("ml_retrainer")
    settings = load_settings(ControlSettings)
    async with database.transaction() as transaction:
        strategies = load_strategies(settings.config_dir, settings.strategies_dir)
        works = await effective_label_work(
            transaction, settings.config_dir, strategies, load_rules(settings.strategies_dir)
        )
        config = next(each.config for each in works if each.config.strategy == Strategy("swing"))
        number = await find_feature_set(transaction, FEATURE_SET)
        assert number is not None
        await store_labels(transaction, world.samples, number, config)
        await transaction.commit()
    return config.hash


async def _in_thread(work: Any) -> Any:
    return await asyncio.to_thread(work)


def test_a_strategy_with_too_few_labels_is_named(world: World, tmp_path: Path) -> None:
    few = world.samples.take(np.arange(50))
    with pytest.raises(InputError, match="min_labels"):
        train_all(tmp_path, {"swing": few}, world.config, 1)

"""`tracker train`: a model a strategy from the labels there are, each a candidate with a verdict."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from tracker.domain.clock import SystemClock
from tracker.domain.errors import InputError
from tracker.domain.signal import Strategy
from tracker.quant.learning.model import Trained
from tracker.quant.learning.samples import Samples
from tracker.quant.learning.settings import ModelsConfig
from tracker.quant.learning.training import prepare
from tracker.runtime.cluster import cluster_of
from tracker.runtime.labels import effective_label_work
from tracker.runtime.model_data import LabelsOf
from tracker.runtime.model_training import StoredTraining, read_training_samples, store_training
from tracker.runtime.model_work import Tell, train_all
from tracker.runtime.models_config import load_models_config
from tracker.runtime.strategies import load_rules, load_strategies
from tracker.store.database import Database, Transaction

from services.control.config_versions import who
from services.control.database_at_hand import asked_database
from services.control.settings import ControlSettings

ROLE = "tracker_ml_retrainer"
EXECUTORS = ("local", "dask")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """What the command line asks for; `strategy` None is all, `seed` and `now` None those of the file and the clock."""

    strategy: Strategy | None
    executor: str
    dask: str | None
    jobs: int
    seed: int | None
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Ready:
    which: LabelsOf
    samples: Samples


def train(settings: ControlSettings, request: TrainRequest, console: Console) -> dict[str, Any]:
    """Train, log every try, judge and store; return what came of it as plain values.

    Raises InputError naming an option that cannot be used or a strategy that has too little to learn from, ConfigError.
    """
    if request.executor not in EXECUTORS:
        raise InputError(f"--executor: {request.executor!r} is not one of {', '.join(EXECUTORS)}")
    if (request.executor == "dask") != (request.dask is not None):
        raise InputError("--executor dask needs --dask tcp://HOST:PORT, and --dask needs --executor dask")
    config = load_models_config(settings.config_dir)
    if request.seed is not None:
        config = replace(config, training=replace(config.training, seed=request.seed))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    started = time.monotonic()
    with (
        asked_database(settings, replay=False) as url,
        Progress(*columns, console=console, transient=True) as progress,
    ):
        task = progress.add_task("models", total=None)
        found = train_at(
            url, settings, request, config,
            lambda done, total: progress.update(task, completed=done, total=total),
        )  # fmt: skip
    return {"seconds": round(time.monotonic() - started, 2), "seed": config.training.seed, **found}


def train_at(
    url: str, settings: ControlSettings, request: TrainRequest, config: ModelsConfig, tell: Tell | None = None
) -> dict[str, Any]:
    """Train in the database at `url`."""
    ready, refused = asyncio.run(_read(url, settings, request, config))
    if not ready and request.strategy is not None:
        raise InputError(f"{request.strategy}: {refused[request.strategy]}")
    with tempfile.TemporaryDirectory(prefix="tracker-train-") as folder, cluster_of(request.dask):
        samples = {name: each.samples for name, each in ready.items()}
        trained = train_all(Path(folder), samples, config, request.jobs, tell) if samples else {}
    stored = asyncio.run(_store(url, {name: each.which for name, each in ready.items()}, trained, config))
    return {
        "models": [document(each) for each in stored],
        "refused": [{"strategy": name, "reason": reason} for name, reason in refused.items()],
    }


def document(stored: StoredTraining) -> dict[str, Any]:
    """Return a stored model as plain values."""
    trained, judged = stored.trained, stored.judged
    return {
        "strategy": stored.strategy,
        "model_id": stored.model_id,
        "new": stored.is_new,
        "labels": trained.learnt,
        "judged_on": len(trained.window),
        "trees": trained.fitted.rounds,
        "tried": len(trained.tried),
        "configuration": asdict(trained.tried[trained.best].configuration),
        "window": asdict(judged.evidence.window),
        "champion_id": judged.champion_id,
        "passed": judged.verdict.passed,
        "criteria": [asdict(each) for each in judged.verdict.criteria],
    }


async def _read(
    url: str, settings: ControlSettings, request: TrainRequest, config: ModelsConfig
) -> tuple[dict[str, _Ready], dict[str, str]]:
    """Return what each strategy learns from, and why others cannot."""
    rules = load_rules(settings.strategies_dir)
    strategies = load_strategies(settings.config_dir, settings.strategies_dir)
    if request.strategy is not None:
        known = ", ".join(each.strategy for each in strategies)
        strategies = [each for each in strategies if each.strategy == request.strategy]
        if not strategies:
            raise InputError(f"--strategy: there is no {request.strategy!s}; known are {known}")
    now = request.now or SystemClock().now()
    ready: dict[str, _Ready] = {}
    refused: dict[str, str] = {}

    async def read(transaction: Transaction) -> None:
        for work in await effective_label_work(transaction, settings.config_dir, strategies, rules):
            which = LabelsOf(
                strategy=work.config.strategy, config_hash=work.config.hash, timeframe=work.config.timeframe,
                signals_only=config.training.signals_only,
            )  # fmt: skip
            try:
                samples = await read_training_samples(transaction, which, config, now)
                prepare(samples, config.training)
                ready[which.strategy] = _Ready(which, samples)
            except InputError as error:
                refused[which.strategy] = str(error)

    await _with(url, read)
    return ready, refused


async def _store(
    url: str, which: Mapping[str, LabelsOf], trained: Mapping[str, Trained], config: ModelsConfig
) -> list[StoredTraining]:
    stored: list[StoredTraining] = []

    async def write(transaction: Transaction) -> None:
        for name, each in trained.items():
            stored.append(await store_training(transaction, which[name], each, config, who()))
        await transaction.commit()

    await _with(url, write)
    return stored


async def _with(url: str, work: Any) -> None:
    database = await Database.open(url, role=ROLE, pool_size=1, application="tracker:train")
    try:
        async with database.transaction() as transaction:
            await work(transaction)
    finally:
        await database.close()

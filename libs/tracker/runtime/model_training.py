"""Trained models as they are stored: lineage, metrics, trials, a card, and the first verdict."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import tracker.quant
from tracker.quant.features import FEATURE_SET
from tracker.quant.learning.boosting import LIBRARY_VERSION
from tracker.quant.learning.model import Trained, TriedConfiguration
from tracker.quant.learning.samples import Samples
from tracker.quant.learning.settings import ModelsConfig
from tracker.quant.models.scorer import artifact_hash
from tracker.runtime.artifacts import ArtifactStore, artifact_path, configured_artifacts
from tracker.runtime.config import plain_hash
from tracker.runtime.model_card import CardFacts, model_card
from tracker.runtime.model_data import LabelsOf, moment, read_samples
from tracker.runtime.model_registry import Candidate, Judged, judge_candidate, keep_judged
from tracker.store.database import Transaction
from tracker.store.labels import LABEL_REGIMES
from tracker.store.models import NewModel, add_model
from tracker.store.symbols import read_symbols
from tracker.store.trials import Trial, log_trials


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTraining:
    """What became of a training: the model's number, whether its bytes are new, and the gate's first word."""

    strategy: str
    model_id: int
    is_new: bool
    trained: Trained
    judged: Judged


async def read_training_samples(
    transaction: Transaction, which: LabelsOf, config: ModelsConfig, now: datetime
) -> Samples:
    """Return what a model of a strategy is made of now; raises InputError where there are no labels."""
    return await read_samples(transaction, which, now - timedelta(days=config.training.days), now)


async def store_training(
    transaction: Transaction,
    which: LabelsOf,
    trained: Trained,
    config: ModelsConfig,
    by: str,
    artifacts: ArtifactStore | None = None,
) -> StoredTraining:
    """Log every try, judge the model, and keep it as a candidate with its card and verdict.

    Its bytes go to `artifacts`, else to where the environment says, else into the database; raises ModelError where
    they cannot be kept.
    """
    lineage = lineage_of(which, trained, config)
    await log_trials(transaction, _trials(which, trained, config, lineage))
    candidate = Candidate(
        model_id=None, strategy=which.strategy, scorer=trained.scorer, facts=trained.facts,
        base_rate=trained.base_rate, window_from=moment(int(trained.window.decided_at[0])),
        feature_hash=feature_hash(trained.window.names), labels=which, data_hash=lineage["data_hash"],
    )  # fmt: skip
    judged = await judge_candidate(transaction, candidate, trained.window, config.gate)
    symbols = {each.symbol_id: each.symbol for each in await read_symbols(transaction)}
    card = CardFacts(
        strategy=which.strategy, lineage=lineage, window=judged.evidence.window, verdict=judged.verdict,
        threshold=config.gate.threshold, symbols=symbols, regimes=LABEL_REGIMES,
    )  # fmt: skip
    new = new_model(candidate, trained, judged, lineage, model_card(trained, card))
    if (outside := artifacts or configured_artifacts()) is not None:
        # Before the row: bytes without one harm nobody, a row without bytes would be a model that cannot be used.
        path = artifact_path(new.strategy, new.sha256)
        await outside.keep(path, trained.fitted.artifact)
        new = replace(new, artifact=None, artifact_path=path)
    model_id, is_new = await add_model(transaction, new)
    await keep_judged(transaction, model_id, judged, by)
    return StoredTraining(
        strategy=which.strategy, model_id=model_id, is_new=is_new, trained=trained, judged=judged
    )


def new_model(
    candidate: Candidate, trained: Trained, judged: Judged, lineage: Mapping[str, Any], card: str
) -> NewModel:
    """Return a model as it is added."""
    metrics = {
        "base_rate": trained.base_rate,
        "window": asdict(judged.evidence.window),
        "training": asdict(judged.evidence.training),
        "rounds": trained.fitted.rounds,
        "curve": [asdict(each) for each in trained.curve],
        "tried": [asdict(each) for each in trained.tried],
    }
    return NewModel(
        strategy=candidate.strategy,
        learnt_through=moment(trained.learnt_through),
        window_from=candidate.window_from,
        known_from=max(judged.window_to, moment(int(trained.window.exit_at.max()))),
        feature_hash=candidate.feature_hash,
        label_config=candidate.labels.config_hash,
        config_hash=lineage["config_hash"],
        sha256=artifact_hash(trained.fitted.artifact),
        artifact=trained.fitted.artifact,
        artifact_path=None,
        calibration=asdict(trained.calibration),
        metrics=metrics,
        lineage=lineage,
        card=card,
        distribution=[asdict(each) for each in trained.features],
        importance=[(each.feature, each.gain, each.permutation) for each in trained.importance],
    )


def lineage_of(which: LabelsOf, trained: Trained, config: ModelsConfig) -> dict[str, Any]:
    """Return where a model comes from, as plain values; without the moment, so that the same one says the same."""
    best = trained.tried[trained.best]
    window = trained.window
    data = {
        "labels": asdict(which) | {"timeframe": which.timeframe.value},
        "learnt_from": moment(trained.learnt_from).isoformat(),
        "learnt_through": moment(trained.learnt_through).isoformat(),
        "window_from": moment(int(window.decided_at[0])).isoformat(),
        "window_to": moment(int(window.decided_at[-1])).isoformat(),
        "learnt": trained.learnt,
        "judged": len(window),
        "feature_set": feature_hash(window.names),
    }
    return {
        **data,
        "data_hash": plain_hash(data),
        "config_hash": _config_hash(which, best, config),
        "configuration": asdict(best.configuration),
        "training": asdict(config.training),
        "monotone": dict(config.monotone.get(which.strategy, {})),
        "seed": config.training.seed,
        "trials": len(trained.tried),
        "code": code_version(),
        "libraries": {"xgboost": LIBRARY_VERSION, "numpy": np.__version__},
    }


def feature_hash(names: Sequence[str]) -> str:
    """Return the identity of the feature set, of its names alone where they are not those that are computed now."""
    return FEATURE_SET.hash if tuple(names) == FEATURE_SET.names else plain_hash(list(names))


@cache
def code_version() -> str:
    """Return the identity of the rules, features and labels that a model was made with, of their source."""
    digest = hashlib.sha256()
    root = Path(tracker.quant.__file__).parent
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _config_hash(which: LabelsOf, tried: TriedConfiguration, config: ModelsConfig) -> str:
    plain = {
        "model": asdict(tried.configuration), "labels": which.config_hash, "features": FEATURE_SET.hash,
        "training": asdict(config.training), "threshold": config.gate.threshold,
    }  # fmt: skip
    return plain_hash(plain)


def _trials(
    which: LabelsOf, trained: Trained, config: ModelsConfig, lineage: Mapping[str, Any]
) -> list[Trial]:
    names = ("labels", "learnt_from", "learnt_through", "learnt", "feature_set")
    return [
        Trial(
            strategy=which.strategy,
            config_hash=_config_hash(which, each, config),
            params={"model": asdict(each.configuration), "seed": config.training.seed},
            data_hash=lineage["data_hash"],
            data={"source": "labels", **{name: lineage[name] for name in names}},
            starts_at=moment(trained.learnt_from),
            ends_at=moment(trained.learnt_through),
            sweep=None,
            trades=each.trades,
            total_return=each.total_return,
            daily_sharpe=each.daily_sharpe,
            days=each.days,
        )
        for each in trained.tried
    ]

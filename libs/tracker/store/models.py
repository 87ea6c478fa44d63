"""Models: added as candidates, at most one champion a strategy, with every verdict and every change of hands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from tracker.domain.errors import InputError
from tracker.store.database import Row, Transaction
from tracker.store.scored_by import MODELS_CHANNEL, ModelSlot
from tracker.store.scored_by import StoredModel as ScoringModel


@dataclass(frozen=True, slots=True, kw_only=True)
class NewModel:
    """A candidate to add, with `artifact` or `artifact_path`; `importance` is (feature, gain, permutation).

    `distribution` is that of each feature in what it learnt from, as plain values; None where nobody counted.
    """

    strategy: str
    learnt_through: datetime
    window_from: datetime
    known_from: datetime
    feature_hash: str
    label_config: str
    config_hash: str
    sha256: str
    artifact: bytes | None
    artifact_path: str | None
    calibration: Mapping[str, Any]
    metrics: Mapping[str, Any]
    lineage: Mapping[str, Any]
    card: str
    importance: Sequence[tuple[str, float, float]]
    distribution: Sequence[Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """A model without its bytes and its card; columns as the table's comments say."""

    model_id: int
    strategy: str
    status: str
    created_at: datetime
    promoted_at: datetime | None
    retired_at: datetime | None
    learnt_through: datetime
    window_from: datetime
    known_from: datetime
    predecessor_id: int | None
    feature_hash: str
    label_config: str
    config_hash: str
    sha256: str
    calibration: Mapping[str, Any]
    metrics: Mapping[str, Any]
    lineage: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVerdict:
    """What the gate said of a model on a window; `reason` is that of a person who forced it."""

    model_id: int
    champion_id: int | None
    judged_by: str
    window_from: datetime
    window_to: datetime
    criteria: Sequence[Mapping[str, Any]]
    passed: bool
    forced: bool = False
    promoted: bool = False
    reason: str = ""


async def add_model(transaction: Transaction, new: NewModel) -> tuple[int, bool]:
    """Return the number of a candidate, and whether it is new: the same bytes of a strategy are the same model."""
    model_id = await transaction.fetch_value(
        "models.add", new.strategy, new.learnt_through, new.window_from, new.feature_hash, new.label_config,
        new.config_hash, new.sha256, new.artifact, new.artifact_path, _json(new.calibration), _json(new.metrics),
        _json(new.lineage), new.card, new.known_from,
        None if new.distribution is None else orjson.dumps([dict(each) for each in new.distribution]).decode(),
    )  # fmt: skip
    if model_id is None:
        return await transaction.fetch_value("models.same", new.strategy, new.sha256), False
    names, gains, permutations = ([each[place] for each in new.importance] for place in range(3))
    await transaction.execute("models.add_importance", model_id, names, gains, permutations)
    await transaction.notify(MODELS_CHANNEL, f"{new.strategy} {model_id}")
    return model_id, True


async def read_models(transaction: Transaction, strategy: str | None = None) -> list[StoredModel]:
    """Return every model, the newest of each strategy first."""
    return [_model(row) for row in await transaction.fetch("models.list", strategy)]


async def read_model(transaction: Transaction, model_id: int) -> StoredModel:
    """Return a model; raises InputError where there is no such."""
    row = await transaction.fetch_row("models.one", model_id)
    if row is None:
        raise InputError(f"model {model_id}: there is no such model, `tracker models list` shows all")
    return _model(row)


async def read_slots(transaction: Transaction, strategy: str, candidates: int) -> list[ModelSlot]:
    """Return which models score a strategy now: its champion, and so many of its newest candidates."""
    return [ModelSlot(**dict(row.items())) for row in await transaction.fetch("models.standing", strategy, candidates)]


async def read_stored(transaction: Transaction, model_id: int) -> ScoringModel | None:
    """Return what it takes to score with a model; None where there is no such. Its `artifact` is None in storage."""
    row = await transaction.fetch_row("models.artifact", model_id)
    if row is None:
        return None
    return ScoringModel(**{**dict(row.items()), "calibration": orjson.loads(row["calibration"])})


async def read_card(transaction: Transaction, model_id: int) -> str:
    """Return a model's page; raises InputError where there is no such."""
    found = await transaction.fetch_value("models.card", model_id)
    if found is None:
        raise InputError(f"model {model_id}: there is no such model, `tracker models list` shows all")
    return found


async def read_importance(transaction: Transaction, model_id: int) -> list[tuple[str, float, float | None]]:
    """Return (feature, gain, permutation), the most telling first."""
    rows = await transaction.fetch("models.importance", model_id)
    return [(row["feature"], row["gain"], row["permutation"]) for row in rows]


async def read_distribution(transaction: Transaction, model_id: int) -> list[dict[str, Any]] | None:
    """Return how the features were distributed that a model learnt from; None where it does not know."""
    found = await transaction.fetch_value("models.distribution", model_id)
    return None if found is None else orjson.loads(found)


async def read_champion_id(transaction: Transaction, strategy: str) -> int | None:
    """Return the number of a strategy's champion, None where it has none."""
    return await transaction.fetch_value("models.champion", strategy)


async def lock_models(transaction: Transaction, strategy: str) -> None:
    """Have everybody else wait who wants to change which of the strategy's models is what."""
    await transaction.execute("models.lock", strategy)


async def crown_model(transaction: Transaction, model: StoredModel, action: str, made_by: str, reason: str) -> None:
    """Make a model its strategy's champion, and the one before retired, at once; the caller holds `lock_models`.

    `action` is promote, rollback or demote; only a promotion makes the one before the predecessor to return to.
    """
    before = await read_champion_id(transaction, model.strategy)
    await transaction.execute("models.dethrone", model.strategy)
    await transaction.execute("models.crown", model.model_id, action == "promote", before)
    # The one that the wish is about: of a rollback that which has to go.
    about = model.model_id if action == "promote" or before is None else before
    await transaction.execute(
        "models.note_event", model.strategy, action, about, model.model_id, made_by, reason
    )
    await transaction.notify(MODELS_CHANNEL, f"{model.strategy} {model.model_id}")


async def retire_model(
    transaction: Transaction, model: StoredModel, made_by: str, reason: str, action: str = "retire"
) -> None:
    """Take a model out of use; a champion leaves its place empty; the caller holds `lock_models`.

    `action` is retire, or demote where it failed and nobody takes its place.
    """
    await transaction.execute("models.retire", model.model_id)
    champion = await read_champion_id(transaction, model.strategy)
    await transaction.execute(
        "models.note_event", model.strategy, action, model.model_id, champion, made_by, reason
    )
    await transaction.notify(MODELS_CHANNEL, f"{model.strategy} {model.model_id}")


async def keep_model_verdict(transaction: Transaction, verdict: ModelVerdict) -> int:
    """Keep a verdict and return its number."""
    return await transaction.fetch_value(
        "models.keep_verdict", verdict.model_id, verdict.champion_id, verdict.judged_by, verdict.window_from,
        verdict.window_to, orjson.dumps([dict(each) for each in verdict.criteria]).decode(), verdict.passed,
        verdict.forced, verdict.promoted, verdict.reason,
    )  # fmt: skip


async def read_model_verdicts(transaction: Transaction, model_id: int) -> list[dict[str, Any]]:
    """Return what the gate said of a model, the newest first, as plain values."""
    rows = await transaction.fetch("models.verdicts", model_id)
    return [{**dict(row.items()), "criteria": orjson.loads(row["criteria"])} for row in rows]


async def read_model_events(transaction: Transaction, strategy: str | None, limit: int) -> list[dict[str, Any]]:
    """Return who changed which model is what, the newest first, as plain values."""
    return [dict(row.items()) for row in await transaction.fetch("models.events", strategy, limit)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowRows:
    """Live scores whose trades have ended: Unix seconds int64, the rest float64, (n,) each."""

    decided_at: NDArray[np.int64]
    exit_at: NDArray[np.int64]
    probability: NDArray[np.float64]
    won: NDArray[np.float64]
    weight: NDArray[np.float64]


async def read_shadow_rows(
    transaction: Transaction, strategy: str, model_id: int, since: datetime
) -> ShadowRows:
    """Return what a model said live from a moment on, with what became of it."""
    rows = await transaction.fetch("models.shadow", strategy, model_id, since)
    columns = list(zip(*(tuple(row) for row in rows), strict=True)) or [()] * 5
    whole, parts = columns[:2], [np.array(each, dtype=np.float64) for each in columns[2:]]
    return ShadowRows(
        decided_at=np.array(whole[0], dtype=np.int64), exit_at=np.array(whole[1], dtype=np.int64),
        probability=parts[0], won=parts[1], weight=parts[2],
    )  # fmt: skip


def _model(row: Row) -> StoredModel:
    facts = dict(row.items())
    for name in ("calibration", "metrics", "lineage"):
        facts[name] = orjson.loads(facts[name])
    return StoredModel(**facts)


def _json(plain: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(plain), option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_SORT_KEYS).decode()

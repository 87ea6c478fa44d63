"""Candidates before the gate, and the change of champions: always whole, always with a reason that is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from tracker.domain.errors import InputError, ModelError
from tracker.quant.backtest.trials import Trials
from tracker.quant.features import FEATURE_SET
from tracker.quant.learning.evidence import (
    NO_SHADOW,
    ModelEvidence,
    ShadowFigures,
    TrainingFacts,
    evidence_of,
    shadow_figures,
)
from tracker.quant.learning.gate import judge
from tracker.quant.learning.samples import Samples
from tracker.quant.learning.settings import ModelGate, ModelsConfig
from tracker.quant.models.scorer import Scorer
from tracker.quant.promotion import Verdict
from tracker.runtime.artifacts import ArtifactStore, configured_artifacts, with_bytes
from tracker.runtime.model_data import LabelsOf, compare_as_of, moment, read_samples
from tracker.store.database import Transaction
from tracker.store.models import (
    ModelVerdict,
    StoredModel,
    crown_model,
    keep_model_verdict,
    lock_models,
    read_champion_id,
    read_model,
    read_shadow_rows,
    read_stored,
    retire_model,
)
from tracker.store.trials import count_trials

BY_THE_GATE = "the gate let it pass"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What the gate has to know of a model; `model_id` is None while it is not stored."""

    model_id: int | None
    strategy: str
    scorer: Scorer
    facts: TrainingFacts
    base_rate: float
    window_from: datetime
    feature_hash: str
    labels: LabelsOf
    data_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict with what it rests on; `champion_id` is what was to be beaten."""

    verdict: Verdict
    evidence: ModelEvidence
    champion_id: int | None
    window_from: datetime
    window_to: datetime


async def load_scorer(transaction: Transaction, model_id: int, artifacts: ArtifactStore | None = None) -> Scorer:
    """Return a stored model ready to score; raises ModelError where its bytes are not those that were stored.

    Bytes outside the database are fetched from `artifacts`, else from where the environment says.
    """
    found = await read_stored(transaction, model_id)
    if found is None:
        raise ModelError(f"there is no model {model_id}")
    if found.artifact is None:
        found = await with_bytes(found, artifacts or configured_artifacts())
    if found.artifact is None:
        raise ModelError(f"model {model_id} has no bytes")
    try:
        return Scorer.load(found.artifact, found.sha256, found.calibration)
    except ModelError as error:
        raise ModelError(f"model {model_id} of {found.strategy}: {error}") from None


async def candidate_of(transaction: Transaction, model: StoredModel) -> Candidate:
    """Return a stored model as the gate sees it; raises ModelError where it cannot be used."""
    try:
        facts = TypeAdapter(TrainingFacts).validate_python(_unknown_for_null(model.metrics["training"]))
        labels = TypeAdapter(LabelsOf).validate_python(model.lineage["labels"])
        rate, data = float(model.metrics["base_rate"]), str(model.lineage["data_hash"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"model {model.model_id}: what is stored of it cannot be used: {error}") from None
    return Candidate(
        model_id=model.model_id, strategy=model.strategy, scorer=await load_scorer(transaction, model.model_id),
        facts=facts, base_rate=rate, window_from=model.window_from, feature_hash=model.feature_hash, labels=labels,
        data_hash=data,
    )  # fmt: skip


async def read_window(transaction: Transaction, candidate: Candidate, now: datetime) -> Samples:
    """Return the trades that a candidate may be judged by: all that nothing of it was fitted to."""
    begin = candidate.window_from - timedelta(seconds=1)
    return await read_samples(transaction, candidate.labels, begin, now)


async def judge_candidate(
    transaction: Transaction, candidate: Candidate, window: Samples, limits: ModelGate
) -> Judged:
    """Hold a candidate against the champion and the limits; nothing is written.

    Raises InputError where the window is empty or the candidate is the champion, ModelError where one cannot be used.
    """
    champion_id = await read_champion_id(transaction, candidate.strategy)
    if champion_id is not None and champion_id == candidate.model_id:
        raise InputError(f"model {champion_id} is the champion of {candidate.strategy} already")
    champion = None if champion_id is None else await read_model(transaction, champion_id)
    theirs = None if champion is None else await load_scorer(transaction, champion.model_id)
    count, variance = await count_trials(transaction, candidate.strategy, candidate.data_hash)
    compared, unlike = await compare_as_of(transaction, window, candidate.labels)
    begin = moment(int(window.decided_at[0])) if len(window) else candidate.window_from
    seen = 0.0 if champion is None else max(0.0, (champion.learnt_through - begin).total_seconds() / 3600)
    evidence = evidence_of(
        replace(candidate.facts, as_of_rows=compared, unlike_as_of=unlike if compared else None),
        candidate.scorer,
        theirs,
        window,
        base_rate=candidate.base_rate,
        champion_saw=seen,
        trials=Trials(count=count, sharpe_variance=variance),
        shadow=await _shadow(transaction, candidate),
        features_changed=_features_changed(candidate),
        limits=limits,
    )
    return Judged(
        verdict=judge(evidence, limits), evidence=evidence, champion_id=champion_id, window_from=begin,
        window_to=moment(int(window.decided_at[-1])),
    )


async def keep_judged(
    transaction: Transaction, model_id: int, judged: Judged, by: str, *, force: bool = False, promoted: bool = False,
    reason: str = "",
) -> int:
    """Keep a verdict, and return its number."""
    return await keep_model_verdict(
        transaction,
        ModelVerdict(
            model_id=model_id, champion_id=judged.champion_id, judged_by=by, window_from=judged.window_from,
            window_to=judged.window_to, criteria=[asdict(each) for each in judged.verdict.criteria],
            passed=judged.verdict.passed, forced=force, promoted=promoted, reason=reason,
        ),
    )  # fmt: skip


async def promote(
    transaction: Transaction, model_id: int, config: ModelsConfig, now: datetime, by: str, *, force: bool, reason: str
) -> tuple[Judged, bool]:
    """Judge a model anew and make it the champion where it may be; the verdict is kept either way.

    Raises InputError where a force has no reason, there is no such model, or it is the champion already.
    """
    if force and not reason.strip():
        raise InputError("--force: needs --reason, which is kept with the verdict")
    model = await read_model(transaction, model_id)
    await lock_models(transaction, model.strategy)
    candidate = await candidate_of(transaction, model)
    window = await read_window(transaction, candidate, now)
    judged = await judge_candidate(transaction, candidate, window, config.gate)
    promoted = judged.verdict.passed or force
    await keep_judged(
        transaction, model_id, judged, by, force=force and not judged.verdict.passed, promoted=promoted, reason=reason
    )
    if promoted:
        await crown_model(transaction, model, "promote", by, reason or BY_THE_GATE)
    return judged, promoted


async def rollback(transaction: Transaction, strategy: str, by: str, reason: str) -> tuple[StoredModel, StoredModel]:
    """Make the champion before the champion again; returns the one that went and the one that came.

    Raises InputError without a reason, a champion or one before it; ModelError where that one cannot be used any more.
    """
    if not reason.strip():
        raise InputError("--reason: say why, it is kept")
    await lock_models(transaction, strategy)
    champion_id = await read_champion_id(transaction, strategy)
    if champion_id is None:
        raise InputError(f"{strategy} has no champion to roll back from")
    champion = await read_model(transaction, champion_id)
    if champion.predecessor_id is None:
        raise InputError(f"{strategy} had no champion before model {champion_id}: `tracker models retire` leaves none")
    before = await read_model(transaction, champion.predecessor_id)
    await load_scorer(transaction, before.model_id)
    await crown_model(transaction, before, "rollback", by, reason)
    return champion, before


async def retire(transaction: Transaction, model_id: int, by: str, reason: str) -> StoredModel:
    """Take a model out of use and return it as it was; a strategy whose champion goes decides by rule alone.

    Raises InputError without a reason, where there is no such model or it is retired already.
    """
    if not reason.strip():
        raise InputError("--reason: say why, it is kept")
    model = await read_model(transaction, model_id)
    await lock_models(transaction, model.strategy)
    model = await read_model(transaction, model_id)
    if model.status == "retired":
        raise InputError(f"model {model_id} is retired already")
    await retire_model(transaction, model, by, reason)
    return model


async def _shadow(transaction: Transaction, candidate: Candidate) -> ShadowFigures:
    if candidate.model_id is None:
        return NO_SHADOW
    rows = await read_shadow_rows(transaction, candidate.strategy, candidate.model_id, candidate.window_from)
    hours = float(rows.exit_at.max() - rows.decided_at.min()) / 3600 if rows.exit_at.size else 0.0
    return shadow_figures(rows.probability, rows.won, rows.weight, candidate.base_rate, hours)


def _features_changed(candidate: Candidate) -> int:
    if candidate.feature_hash == FEATURE_SET.hash and candidate.scorer.trees.names == FEATURE_SET.names:
        return 0
    return max(1, len(set(candidate.scorer.trees.names) ^ set(FEATURE_SET.names)))


def _unknown_for_null(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored figures with NaN where JSON has null, but for a count that was not made."""
    kept = {name: float("nan") if value is None else value for name, value in facts.items()}
    return {**kept, "unlike_as_of": facts["unlike_as_of"]}

"""A champion held against what it was promoted for, and its end where it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from tracker.domain.errors import InputError, ModelError
from tracker.domain.timeframe import EPOCH
from tracker.quant.bars import Singles
from tracker.quant.features import FEATURE_SET
from tracker.quant.learning.drift import FeatureDrift, drift_of
from tracker.quant.learning.samples import DAY
from tracker.quant.learning.watch import (
    Action,
    Expected,
    LiveFigures,
    LiveScores,
    Watched,
    WatchLimits,
    judge_live,
    live_figures,
)
from tracker.runtime.model_data import LabelsOf, read_samples
from tracker.runtime.model_registry import load_scorer
from tracker.store.database import Transaction
from tracker.store.features import find_feature_set
from tracker.store.model_performance import (
    Performance,
    keep_performance,
    read_live_rows,
    read_model_states,
    read_scored_features,
)
from tracker.store.models import (
    StoredModel,
    crown_model,
    lock_models,
    read_champion_id,
    read_importance,
    read_model,
    retire_model,
)

# Rows of either side that drift is measured on, the newest.
MOST_DRIFT_ROWS = 20_000
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at one strategy's champion said; all None where there is no champion.

    `successor_id` is the model that took its place where it was demoted; None where the rule decides alone since.
    """

    strategy: str
    model_id: int | None
    window: tuple[datetime, datetime] | None = None
    figures: LiveFigures | None = None
    watched: Watched | None = None
    drift: tuple[FeatureDrift, ...] = ()
    acted: bool = False
    successor_id: int | None = None


async def watch_all(transaction: Transaction, limits: WatchLimits, by: str, *, act: bool) -> list[Look]:
    """Look at every scanning strategy's champion in event time; the caller commits.

    With `act`, one that fails gives its place to the champion before it, or to the rule alone.
    """
    states = await read_model_states(transaction)
    return [await watch(transaction, each.strategy, each.closed_through, limits, by, act=act) for each in states]


async def watch(
    transaction: Transaction, strategy: str, through: datetime, limits: WatchLimits, by: str, *, act: bool
) -> Look:
    """Look at a strategy's champion as of a moment in event time, and keep what is found."""
    if act:
        await lock_models(transaction, strategy)
    champion_id = await read_champion_id(transaction, strategy)
    if champion_id is None:
        return Look(strategy=strategy, model_id=None)
    model = await read_model(transaction, champion_id)
    begin = through - timedelta(days=limits.window_days)
    live = await read_live_rows(transaction, strategy, champion_id, begin, through)
    drift, rows = await _drift(transaction, model, begin, through)
    gains = {name: gain for name, gain, _ in await read_importance(transaction, champion_id)}
    scores = LiveScores(
        probability=live.probability, won=live.won, net_return=live.net_return, weight=live.weight,
        days=live.decided_at // DAY, taken=live.taken,
    )  # fmt: skip
    age = max(0.0, (through - model.known_from).total_seconds() / DAY_SECONDS)
    figures = live_figures(scores, _expected(model), drift, rows, gains, age, limits)
    watched = judge_live(figures, limits)
    acted = act and watched.action is Action.DEMOTE
    successor = await _demote(transaction, model, watched, by) if acted else None
    await keep_performance(
        transaction,
        Performance(
            model_id=champion_id, strategy=strategy, window_from=begin, window_to=through,
            action=watched.action.value, acted=acted, figures=asdict(figures),
            criteria=[asdict(each) for each in (*watched.demotes, *watched.retrains)],
            drift=[asdict(each) for each in drift],
        ),
    )  # fmt: skip
    return Look(
        strategy=strategy, model_id=champion_id, window=(begin, through), figures=figures, watched=watched,
        drift=tuple(drift), acted=acted, successor_id=successor,
    )  # fmt: skip


async def _demote(transaction: Transaction, model: StoredModel, watched: Watched, by: str) -> int | None:
    """Give a champion's place to the one before it, where that can still be used; else to nobody."""
    reason = "; ".join(each.sentence for each in watched.broken)
    if model.predecessor_id is not None:
        before = await read_model(transaction, model.predecessor_id)
        try:
            await load_scorer(transaction, before.model_id)
        except ModelError as error:
            reason = f"{reason}; {error}"
        else:
            await crown_model(transaction, before, "demote", by, reason)
            return before.model_id
    await retire_model(transaction, model, by, reason)
    return None


async def _drift(
    transaction: Transaction, model: StoredModel, begin: datetime, through: datetime
) -> tuple[list[FeatureDrift], int]:
    """Return how far the features of live setups are from those the model learnt from, and of how many live rows."""
    number = await find_feature_set(transaction, FEATURE_SET)
    if number is None or model.feature_hash != FEATURE_SET.hash:
        return [], 0
    now = await read_scored_features(
        transaction, model.strategy, model.model_id, begin, through, feature_set=number, most=MOST_DRIFT_ROWS
    )
    if not len(now):
        return [], 0
    return drift_of(FEATURE_SET.names, await _learnt(transaction, model), now), len(now)


async def _learnt(transaction: Transaction, model: StoredModel) -> Singles:
    """Return the newest features that a model learnt from, as far as their labels are still stored."""
    try:
        labels = TypeAdapter(LabelsOf).validate_python(model.lineage["labels"])
        first = datetime.fromisoformat(model.lineage["learnt_from"])
    except (KeyError, TypeError, ValueError):
        return np.empty((0, len(FEATURE_SET.names)), dtype=np.float32)
    begin = max(EPOCH, first - timedelta(seconds=1))
    try:
        samples = await read_samples(transaction, labels, begin, model.learnt_through)
    except InputError:
        return np.empty((0, len(FEATURE_SET.names)), dtype=np.float32)
    return samples.features[-MOST_DRIFT_ROWS:]


def _expected(model: StoredModel) -> Expected:
    window: Mapping[str, Any] = model.metrics.get("window") or {}

    def number(value: Any) -> float:
        return float("nan") if value is None else float(value)

    return Expected(
        base_rate=number(model.metrics.get("base_rate")), brier=number(window.get("brier")),
        mean_return=number(window.get("mean_return")),
    )  # fmt: skip

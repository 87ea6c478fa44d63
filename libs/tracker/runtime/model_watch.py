"""A champion held against what it was promoted for, and its end where it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from tracker.domain.errors import InputError, ModelError
from tracker.domain.timeframe import EPOCH
from tracker.quant.features import FEATURE_SET
from tracker.quant.learning.drift import Distribution, FeatureDrift, distributions_of, drift_from
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
    read_scored_features,
)
from tracker.store.model_states import read_model_states
from tracker.store.models import (
    StoredModel,
    crown_model,
    lock_models,
    read_champion_id,
    read_distribution,
    read_importance,
    read_model,
    retire_model,
)

# Rows of either side that drift is measured on, the newest.
MOST_DRIFT_ROWS = 20_000
DAY_SECONDS = 86_400.0
KEPT = "the rows it learnt from, kept with the model"
NOT_KEPT = "the model does not say how its features were distributed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at one strategy's champion said; all None where there is no champion.

    `drift_from` says what the drift is measured from. `successor_id` is the model that took its place where it was
    demoted; None where the rule decides alone since.
    """

    strategy: str
    model_id: int | None
    window: tuple[datetime, datetime] | None = None
    figures: LiveFigures | None = None
    watched: Watched | None = None
    drift: tuple[FeatureDrift, ...] = ()
    drift_from: str = ""
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
    drift, rows, source = await _drift(transaction, model, begin, through)
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
            action=watched.action.value, acted=acted, figures={**asdict(figures), "drift_from": source},
            criteria=[asdict(each) for each in (*watched.demotes, *watched.retrains)],
            drift=[asdict(each) for each in drift],
        ),
    )  # fmt: skip
    return Look(
        strategy=strategy, model_id=champion_id, window=(begin, through), figures=figures, watched=watched,
        drift=tuple(drift), drift_from=source, acted=acted, successor_id=successor,
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
    await retire_model(transaction, model, by, reason, "demote")
    return None


async def _drift(
    transaction: Transaction, model: StoredModel, begin: datetime, through: datetime
) -> tuple[list[FeatureDrift], int, str]:
    """Return how far the features of live setups are from those the model learnt from, of how many, from what."""
    number = await find_feature_set(transaction, FEATURE_SET)
    if number is None or model.feature_hash != FEATURE_SET.hash:
        return [], 0, "nothing: it learnt from features that are not computed now"
    now = await read_scored_features(
        transaction, model.strategy, model.model_id, begin, through, feature_set=number, most=MOST_DRIFT_ROWS
    )
    if not len(now):
        return [], 0, "nothing: no setup that it was asked about has stored features"
    learnt, source = await _learnt(transaction, model)
    return drift_from(learnt, FEATURE_SET.names, now), len(now), source


async def _learnt(transaction: Transaction, model: StoredModel) -> tuple[Sequence[Distribution], str]:
    """Return how the features are distributed that a model learnt from, and where that is known from.

    A model that was made before this was kept is measured by its newest labels, as far as they are still stored.
    """
    kept = await read_distribution(transaction, model.model_id)
    if kept is not None:
        return TypeAdapter(list[Distribution]).validate_python(kept), KEPT
    try:
        labels = TypeAdapter(LabelsOf).validate_python(model.lineage["labels"])
        first = datetime.fromisoformat(model.lineage["learnt_from"])
        begin = max(EPOCH, first - timedelta(seconds=1))
        samples = await read_samples(transaction, labels, begin, model.learnt_through)
    except (KeyError, TypeError, ValueError):
        return [], f"nothing: {NOT_KEPT}, nor which labels it learnt from"
    except InputError as error:
        return [], f"nothing: {NOT_KEPT}, and its labels cannot be read: {error}"
    rows = samples.features[-MOST_DRIFT_ROWS:]
    if not len(rows):
        return [], f"nothing: {NOT_KEPT}, and its labels are gone"
    return distributions_of(samples.names, rows), f"its newest {len(rows)} labels: {NOT_KEPT}"


def _expected(model: StoredModel) -> Expected:
    window: Mapping[str, Any] = model.metrics.get("window") or {}

    def number(value: Any) -> float:
        return float("nan") if value is None else float(value)

    return Expected(
        base_rate=number(model.metrics.get("base_rate")), brier=number(window.get("brier")),
        mean_return=number(window.get("mean_return")),
    )  # fmt: skip

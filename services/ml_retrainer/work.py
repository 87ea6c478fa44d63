"""What a job does: it asks the same functions that the command line asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tracker.domain.errors import ConfigError
from tracker.domain.job import JobKind, Work
from tracker.quant.compiled import trade_alone
from tracker.quant.features import FEATURE_SET
from tracker.quant.learning.watch import Action
from tracker.runtime.label_building import LabelRequest, build_labels
from tracker.runtime.labels import LabelWork, effective_label_work
from tracker.runtime.model_watch import watch
from tracker.runtime.models_config import load_models_config, load_watch_limits
from tracker.runtime.strategies import load_rules, load_strategies
from tracker.store.database import Database
from tracker.store.features import find_feature_set
from tracker.store.model_states import read_model_states

from services.ml_retrainer.settings import RetrainerSettings
from services.ml_retrainer.training import BY, train_model

Tell = Callable[[str], None]
Result = dict[str, Any]
Do = Callable[[Database, RetrainerSettings, str, Tell], Awaitable[Result]]


async def do(database: Database, settings: RetrainerSettings, work: Work, tell: Tell) -> Result:
    """Do a job and return what came of it as plain JSON values; raises TrackerError."""
    return await _DOING[work.kind](database, settings, work.strategy, tell)


async def label(database: Database, settings: RetrainerSettings, strategy: str, tell: Tell) -> Result:
    """Label the setups of a strategy that came since the last time."""
    async with database.transaction() as transaction:
        feature_set = await find_feature_set(transaction, FEATURE_SET)
    if feature_set is None:
        return {"setups": 0, "note": "no features are stored yet"}
    work = await _labels_of(database, settings, strategy)
    [built] = await build_labels(
        database, [work], feature_set, LabelRequest(since_last=True), trade_alone,
        lambda done: tell(f"labels of {strategy}: {done:.0%}"),
    )  # fmt: skip
    return {
        "config_hash": work.config.hash, "symbols": len(built.symbols), "setups": built.setups,
        "changed": built.changed, "reweighed": built.reweighed,
        "through": None if built.end is None else built.end.isoformat(),
    }


async def train(database: Database, settings: RetrainerSettings, strategy: str, tell: Tell) -> Result:
    """Train a model of a strategy, and promote it, or one that waits, where it passes the gate."""
    config = load_models_config(settings.config_dir)
    work = await _labels_of(database, settings, strategy)
    return await train_model(
        database, work, config, lambda done, total: tell(f"training {strategy}: {done} of {total}")
    )


async def look(database: Database, settings: RetrainerSettings, strategy: str, tell: Tell) -> Result:
    """Hold a strategy's champion against what it was promoted for; one that fails gives its place back.

    The result's `breach` says what is broken, which is a reason to train.
    """
    limits = load_watch_limits(settings.config_dir)
    tell(f"watching the champion of {strategy}")
    async with database.transaction() as transaction:
        scanned = {each.strategy: each.closed_through for each in await read_model_states(transaction)}
        if strategy not in scanned:
            return {"note": "nothing was scanned yet"}
        found = await watch(transaction, strategy, scanned[strategy], limits, BY, act=True)
        await transaction.commit()
    if found.watched is None:
        return {"note": "no champion: the rule decides"}
    result: Result = {
        "model_id": found.model_id, "action": found.watched.action.value, "demoted": found.acted,
        "successor_id": found.successor_id,
    }  # fmt: skip
    if found.watched.action is Action.KEEP:
        return result
    return {**result, "breach": "; ".join(each.sentence for each in found.watched.broken)}


async def _labels_of(database: Database, settings: RetrainerSettings, strategy: str) -> LabelWork:
    chosen = [
        each for each in load_strategies(settings.config_dir, settings.strategies_dir) if each.strategy == strategy
    ]
    if not chosen:
        raise ConfigError(f"{settings.config_dir}: there is no strategy {strategy!r}")
    async with database.transaction() as transaction:
        rules = load_rules(settings.strategies_dir)
        [work] = await effective_label_work(transaction, settings.config_dir, chosen, rules)
    return work


_DOING: Mapping[JobKind, Do] = {JobKind.BUILD_LABELS: label, JobKind.TRAIN: train, JobKind.WATCH: look}

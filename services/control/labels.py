"""The work of `tracker labels`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from tracker.domain.errors import InputError
from tracker.domain.signal import Strategy
from tracker.quant.compiled import trade_alone
from tracker.quant.features import FEATURE_SET
from tracker.quant.labelling import uniqueness
from tracker.quant.portfolio.book import moment_of
from tracker.runtime.label_building import BuiltLabels, LabelRequest, build_labels
from tracker.runtime.labels import effective_label_work
from tracker.runtime.strategies import load_rules, load_strategies
from tracker.store.database import Database
from tracker.store.features import find_feature_set, register_feature_set
from tracker.store.labels import (
    LABEL_LOSS,
    LABEL_WIN,
    LabelConfig,
    LabelGroup,
    LabelSpans,
    read_label_configs,
    read_label_groups,
    read_label_spans,
)

from services.control.database_at_hand import asked_database, database_at_hand
from services.control.settings import ControlSettings

ROLE = "tracker_ml_retrainer"
CALCULATOR_ROLE = "tracker_feature_calculator"
READER_ROLE = "tracker_reader"

Tell = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsRequest:
    """What was asked for on the command line."""

    strategy: Strategy | None
    first: datetime | None
    end: datetime | None
    since_last: bool


def build(settings: ControlSettings, request: LabelsRequest, console: Console) -> dict[str, Any]:
    """Build labels in the ml_retrainer's name and return what was done as plain JSON values.

    Raises ConfigError naming file, field and value, InputError for a strategy or span that cannot be used.
    """
    if request.first is not None and request.end is not None and request.end <= request.first:
        raise InputError(f"--to {request.end.isoformat()} is not after --from {request.first.isoformat()}")
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
               TimeRemainingColumn())  # fmt: skip
    started = time.monotonic()
    with Progress(*columns, console=console, transient=True) as progress, database_at_hand(settings) as url:
        task = progress.add_task("labels", total=1.0)
        built = asyncio.run(build_at(url, settings, request, lambda done: progress.update(task, completed=done)))
    return {
        "seconds": round(time.monotonic() - started, 2),
        "since_last": request.since_last,
        "strategies": [_built(each) for each in built],
    }


async def build_at(
    url: str, settings: ControlSettings, request: LabelsRequest, tell: Tell | None = None
) -> list[BuiltLabels]:
    """Build labels in the database at `url`."""
    await _register(url)
    rules = load_rules(settings.strategies_dir)
    strategies = load_strategies(settings.config_dir, settings.strategies_dir)
    if request.strategy is not None:
        known = ", ".join(each.strategy for each in strategies)
        strategies = [each for each in strategies if each.strategy == request.strategy]
        if not strategies:
            raise InputError(f"--strategy: there is no {request.strategy!s}; known are {known}")
    database = await Database.open(url, role=ROLE, pool_size=1, application="tracker:labels")
    try:
        async with database.transaction() as transaction:
            works = await effective_label_work(transaction, settings.config_dir, strategies, rules)
        asked = LabelRequest(first=request.first, end=request.end, since_last=request.since_last)
        number = await _feature_set(database)
        return await build_labels(database, works, number, asked, trade_alone, tell)
    finally:
        await database.close()


async def _register(url: str) -> None:
    """Take the feature set in, in the calculator's name, where no calculator has run yet."""
    database = await Database.open(url, role=CALCULATOR_ROLE, pool_size=1, application="tracker:labels")
    try:
        async with database.transaction() as transaction:
            await register_feature_set(transaction, FEATURE_SET)
            await transaction.commit()
    finally:
        await database.close()


async def _feature_set(database: Database) -> int:
    async with database.transaction() as transaction:
        number = await find_feature_set(transaction, FEATURE_SET)
    assert number is not None  # noqa: S101 - it was registered just now
    return number


def _built(done: BuiltLabels) -> dict[str, Any]:
    return {
        "strategy": done.work.config.strategy,
        "config_hash": done.work.config.hash,
        "from": None if done.first is None else done.first.isoformat(),
        "to": None if done.end is None else done.end.isoformat(),
        "symbols": len(done.symbols),
        "setups": done.setups,
        "changed": done.changed,
        "reweighed": done.reweighed,
        "features_stored": done.features_stored,
        "features_computed": done.features_computed,
    }


def report(settings: ControlSettings, strategy: Strategy | None) -> dict[str, Any]:
    """Return what the stored labels say, of each strategy and configuration, as plain JSON values."""
    with asked_database(settings, replay=False) as url:
        return asyncio.run(report_at(url, strategy))


async def report_at(url: str, strategy: Strategy | None) -> dict[str, Any]:
    """Return the report from the database at `url`; raises InputError where there are no labels of a strategy."""
    database = await Database.open(url, role=READER_ROLE, pool_size=1, application="tracker:labels")
    try:
        async with database.transaction() as transaction:
            configs = await read_label_configs(transaction, strategy)
            groups = await read_label_groups(transaction, strategy)
            lives = {each.hash: await read_label_spans(transaction, each.strategy, each.hash) for each in configs}
    finally:
        await database.close()
    kept = [each for each in configs if len(lives[each.hash].weight)]
    if not kept:
        of = f" of {strategy}" if strategy is not None else ""
        raise InputError(f"there are no labels{of} yet: `tracker labels build` makes them")
    return {"strategies": [_reported(each, groups, lives[each.hash]) for each in kept]}


def _reported(config: LabelConfig, groups: Sequence[LabelGroup], lives: LabelSpans) -> dict[str, Any]:
    mine = [each for each in groups if each.config_hash == config.hash]
    ended = (lives.outcome == LABEL_WIN) | (lives.outcome == LABEL_LOSS)
    together = uniqueness(lives.decided_at[ended], lives.exit_at[ended])
    return {
        "strategy": config.strategy,
        "config_hash": config.hash,
        "strategy_hash": config.strategy_hash,
        "setups": config.rules.get("setups"),
        "made_at": max(each.made_at for each in mine).isoformat(),
        "first": _iso(lives.decided_at[0]),
        "last": _iso(lives.decided_at[-1]),
        **_summed(mine),
        "signals": _summed([each for each in mine if each.is_signal]),
        "effective_n": {
            "by_symbol": round(float(lives.weight[ended].sum()), 1),
            "one_market": round(float(together.sum()), 1),
        },
        "by_regime": _by(mine, lambda each: each.market_regime),
        "by_month": _by(mine, lambda each: f"{each.month:%Y-%m}"),
        "by_symbol": _by(mine, lambda each: each.symbol),
    }


def _by(groups: Iterable[LabelGroup], key: Callable[[LabelGroup], str]) -> list[dict[str, Any]]:
    found: dict[str, list[LabelGroup]] = {}
    for each in groups:
        found.setdefault(key(each), []).append(each)
    return [{"name": name, **_summed(found[name])} for name in sorted(found)]


def _summed(groups: Sequence[LabelGroup]) -> dict[str, Any]:
    """Return counts and means over groups; what is undefined is None."""
    wins, losses = sum(each.wins for each in groups), sum(each.losses for each in groups)
    counts = np.array([each.wins + each.losses for each in groups], dtype=np.float64)
    return {
        "labels": wins + losses + sum(each.censored + each.unfilled for each in groups),
        "wins": wins,
        "losses": losses,
        "censored": sum(each.censored for each in groups),
        "unfilled": sum(each.unfilled for each in groups),
        "base_rate": round(wins / (wins + losses), 4) if wins + losses else None,
        "mean_net_return": _mean(counts, [each.mean_net_return for each in groups]),
        "mean_gross_return": _mean(counts, [each.mean_gross_return for each in groups]),
        "mean_bars_to_exit": _mean(counts, [each.mean_bars_to_exit for each in groups]),
        "effective_n": round(sum(each.weight for each in groups), 1),
    }


def _mean(counts: np.ndarray, means: Sequence[float | None]) -> float | None:
    values = np.array([each or 0.0 for each in means], dtype=np.float64)
    return round(float((counts * values).sum() / counts.sum()), 6) if counts.sum() else None


def _iso(seconds: Any) -> str:
    return moment_of(int(seconds)).isoformat()

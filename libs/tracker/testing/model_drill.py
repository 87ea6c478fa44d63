"""A model's whole life on a made-up market: learnt, judged, promoted, traded by, and demoted once its edge is gone.

Everything goes through the database and by the functions of the fleet: the gate is the one of models.toml, with live
scores and live features; nothing is forced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.bars import Floats
from tracker.quant.features import FEATURE_SET
from tracker.quant.learning.bootstrap import lower_bound
from tracker.quant.learning.model import train
from tracker.quant.learning.samples import DAY, Samples
from tracker.quant.learning.settings import ModelsConfig
from tracker.quant.learning.watch import WatchLimits
from tracker.quant.models.scorer import Scorer
from tracker.runtime.model_data import LabelsOf, moment
from tracker.runtime.model_registry import load_scorer, promote
from tracker.runtime.model_training import read_training_samples, store_training
from tracker.runtime.model_watch import Look, watch
from tracker.store.database import Database
from tracker.store.features import register_feature_set
from tracker.store.labels import LabelConfig
from tracker.store.models import read_champion_id
from tracker.store.scans import advance_scan_watermark
from tracker.store.symbols import write_symbols
from tracker.testing.builders import make_instrument
from tracker.testing.label_world import START, make_samples
from tracker.testing.stored_labels import label_config, store_features, store_labels, store_scores

BY = "drill"
STRATEGY = Strategy("swing")
WHICH = LabelsOf(strategy=STRATEGY, config_hash="feedfacefeedface", timeframe=Timeframe.M15, signals_only=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillPlan:
    """A market and its days: to learn from, of live scores as a candidate, as champion, and without the edge."""

    seed: int
    edge: float
    strategy: Strategy = STRATEGY
    start: int = START
    symbols: int = 10
    per_day: float = 6.0
    learn_days: int = 130
    shadow_days: int = 5
    good_days: int = 30
    bad_days: int = 40

    @property
    def which(self) -> LabelsOf:
        """The strategy's labels."""
        return replace(WHICH, strategy=self.strategy)

    @property
    def labels(self) -> LabelConfig:
        """What these say that they were made with."""
        return label_config(self.strategy, WHICH.config_hash, "c0ffee", WHICH.timeframe)

    @property
    def promoted_day(self) -> int:
        """The day on which the gate says its word."""
        return self.learn_days + self.shadow_days

    @property
    def edge_ends(self) -> int:
        """The day from which on features say nothing any more."""
        return self.promoted_day + self.good_days

    @property
    def last_day(self) -> int:
        """The end."""
        return self.edge_ends + self.bad_days


@dataclass(frozen=True, slots=True, kw_only=True)
class Desks:
    """The database under the roles of those who write."""

    data_collector: Database
    feature_calculator: Database
    strategy_scanner: Database
    ml_retrainer: Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """Mean net return of a trade, its lower bound at 95%, and of how many; NaN of none."""

    mean: float
    bound: float
    trades: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """What became of a model; None where it never came so far.

    `failed` is what the gate held against it. `live` is what it traded while there was an edge, `rule` all setups of
    those days, `after` what it would have traded since. `demoted_on` counts days from the promotion, `look` is the one
    that demoted it.
    """

    plan: DrillPlan
    model_id: int
    failed: Sequence[str]
    live: Return | None = None
    rule: Return | None = None
    after: Return | None = None
    demoted_on: int | None = None
    look: Look | None = None

    @property
    def promoted(self) -> bool:
        """Whether the gate let it pass."""
        return not self.failed

    @property
    def days_to_demotion(self) -> int | None:
        """Days from the end of the edge to the demotion, below 0 where it came too early."""
        return None if self.demoted_on is None else self.demoted_on - self.plan.good_days


async def prepare_desks(desks: Desks, symbols: int) -> int:
    """Write symbols and the feature set; return the number of that."""
    async with desks.data_collector.transaction() as transaction:
        await write_symbols(transaction, [make_instrument(f"S{each:02d}-USD") for each in range(symbols)])
        await transaction.commit()
    async with desks.feature_calculator.transaction() as transaction:
        number = await register_feature_set(transaction, FEATURE_SET)
        await transaction.commit()
    return number


def as_it_is(market: Samples) -> Samples:
    """Return the market itself."""
    return market


async def run_drill(
    desks: Desks,
    plan: DrillPlan,
    config: ModelsConfig,
    limits: WatchLimits,
    labelled: Callable[[Samples], Samples] = as_it_is,
    market: Samples | None = None,
) -> Drill:
    """Live through the days of a plan in a database without models but those that may be champions already.

    `labelled` is what labels say of the market, row by row, where that is not what was so. `market` is a made-up one
    of the plan where None.
    """
    number = await prepare_desks(desks, plan.symbols)
    market = made_up(plan) if market is None else market
    told = labelled(market)
    learnt, shadow = plan.start + plan.learn_days * DAY, plan.start + plan.promoted_day * DAY
    await _store(desks, plan, market, told, (0, learnt), number)
    async with desks.ml_retrainer.transaction() as transaction:
        samples = await read_training_samples(transaction, plan.which, config, moment(learnt))
        trained = train(samples, config, config.monotone.get(plan.strategy, {}))
        stored = await store_training(transaction, plan.which, trained, config, BY)
        before = await read_champion_id(transaction, plan.strategy)
        await transaction.commit()
        scorers = {stored.model_id: await load_scorer(transaction, stored.model_id)}
        if before is not None:
            scorers[before] = await load_scorer(transaction, before)

    await _store(desks, plan, market, told, (learnt, shadow), number)
    await _score(desks, plan, _decided(market, learnt, shadow), scorers, before, config)
    async with desks.ml_retrainer.transaction() as transaction:
        judged, promoted = await promote(
            transaction, stored.model_id, config, moment(shadow), BY, force=False, reason=""
        )
        await transaction.commit()
    if not promoted:
        return Drill(
            plan=plan, model_id=stored.model_id, failed=[each.name for each in judged.verdict.failed]
        )
    end = plan.start + plan.last_day * DAY
    await _store(desks, plan, market, told, (shadow, end), number)
    await _score(desks, plan, _decided(market, shadow, end), scorers, stored.model_id, config)
    look, day = await _watched(desks, plan, limits, stored.model_id)
    return _reported(plan, stored.model_id, scorers[stored.model_id], market, config.gate.threshold, look, day)


def made_up(plan: DrillPlan) -> Samples:
    """Return the market of a plan."""
    return make_samples(
        plan.seed, days=plan.last_day, symbols=plan.symbols, per_day=plan.per_day, edge=plan.edge,
        edge_until=plan.edge_ends, names=FEATURE_SET.names, features=len(FEATURE_SET.names),
    )  # fmt: skip


async def _watched(
    desks: Desks, plan: DrillPlan, limits: WatchLimits, model_id: int
) -> tuple[Look | None, int | None]:
    """Look at the champion every night; return the look that demoted it, and after how many days."""
    for day in range(1, plan.last_day - plan.promoted_day + 1):
        through = moment(plan.start + (plan.promoted_day + day) * DAY)
        async with desks.strategy_scanner.transaction() as transaction:
            await advance_scan_watermark(transaction, plan.strategy, WHICH.timeframe, through)
            await transaction.commit()
        async with desks.ml_retrainer.transaction() as transaction:
            look = await watch(transaction, plan.strategy, through, limits, BY, act=True)
            await transaction.commit()
        if look.acted and look.model_id == model_id:
            return look, day
    return None, None


def _reported(
    plan: DrillPlan,
    model_id: int,
    scorer: Scorer,
    market: Samples,
    threshold: float,
    look: Look | None,
    day: int | None,
) -> Drill:
    edge_ends = plan.start + plan.edge_ends * DAY
    good = _decided(market, plan.start + plan.promoted_day * DAY, edge_ends)
    bad = _decided(market, edge_ends, plan.start + plan.last_day * DAY)
    return Drill(
        plan=plan, model_id=model_id, failed=(),
        live=_return(good, scorer.score(good.features), threshold),
        rule=_return(good, np.ones(len(good)), threshold),
        after=_return(bad, scorer.score(bad.features), threshold),
        demoted_on=day, look=look,
    )  # fmt: skip


def _return(samples: Samples, probability: Floats, threshold: float) -> Return:
    traded = samples.take(probability >= threshold)
    if not len(traded):
        return Return(mean=float("nan"), bound=float("nan"), trades=0)
    bound = lower_bound(
        traded.net_return, traded.weight, traded.days, block_days=3, draws=2_000, confidence=0.95, seed=0
    )
    return Return(
        mean=float(np.average(traded.net_return, weights=traded.weight)), bound=bound, trades=len(traded)
    )


def _decided(market: Samples, after: int, through: int) -> Samples:
    return market.take((market.decided_at > after) & (market.decided_at <= through))


async def _store(
    desks: Desks, plan: DrillPlan, market: Samples, told: Samples, span: tuple[int, int], feature_set: int
) -> None:
    """Store the features of decisions in (first, end], and the labels of all trades that have ended by its end."""
    async with desks.feature_calculator.transaction() as transaction:
        await store_features(transaction, _decided(market, *span), feature_set, WHICH.timeframe)
        await transaction.commit()
    async with desks.ml_retrainer.transaction() as transaction:
        await store_labels(transaction, told.take(told.exit_at <= span[1]), feature_set, plan.labels)
        await transaction.commit()


async def _score(
    desks: Desks,
    plan: DrillPlan,
    samples: Samples,
    scorers: dict[int, Scorer],
    champion: int | None,
    config: ModelsConfig,
) -> None:
    async with desks.strategy_scanner.transaction() as transaction:
        await store_scores(transaction, samples, scorers, champion, config.gate.threshold, plan.labels)
        await transaction.commit()


def small(config: ModelsConfig) -> ModelsConfig:
    """Return a configuration with a smaller budget, whose gate asks for all that the shipped one asks for."""
    plan = replace(config.training, trials=2, folds=2, most_rounds=80, patience=10, min_labels=500)
    return replace(config, training=plan, gate=replace(config.gate, bootstraps=400))

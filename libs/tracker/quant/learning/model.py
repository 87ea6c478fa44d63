"""A trained model with everything that is kept of its making."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tracker.quant.bars import Floats, Ints
from tracker.quant.learning.boosting import Configuration, Fitted, configurations, margins, permutation_importance
from tracker.quant.learning.calibration import log_losses
from tracker.quant.learning.drift import Distribution, distributions_of
from tracker.quant.learning.evidence import TrainingFacts, overfitting_of, strongest_feature
from tracker.quant.learning.samples import Samples
from tracker.quant.learning.settings import ModelsConfig
from tracker.quant.learning.training import (
    Attempt,
    Prepared,
    Task,
    Tries,
    attempt,
    calibration_of,
    calibrations,
    compare,
    daily_gains,
    daily_returns,
    prepare,
    shuffled_gain,
    tries_of,
)
from tracker.quant.metrics import sharpe_ratio
from tracker.quant.models.scorer import Calibration, Scorer, sigmoid
from tracker.quant.models.trees import Trees

IMPORTANCE_ROWS = 4_000
# Does tasks of one strategy, in any order and anywhere.
Workers = Callable[[Sequence[Task]], Sequence[Attempt]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Importance:
    """What a feature is worth: log-loss its splits took off in training, and what dealing it anew costs afterwards."""

    feature: str
    gain: float
    permutation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedConfiguration:
    """One configuration on the folds: mean log-loss, trades over the threshold, their summed and daily return."""

    configuration: Configuration
    log_loss: float
    trades: int
    total_return: float
    daily_sharpe: float
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningStep:
    """A model of the first part of the time: labels it had, log-loss on them and on the window after them."""

    labels: int
    trained: float
    tested: float
    base: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A model that can be judged.

    `best` is the place of its configuration among the tried ones, `features` how what it learnt from is distributed.
    """

    fitted: Fitted
    calibration: Calibration
    best: int
    tried: Sequence[TriedConfiguration]
    importance: Sequence[Importance]
    curve: Sequence[LearningStep]
    features: Sequence[Distribution]
    facts: TrainingFacts
    base_rate: float
    learnt: int
    learnt_from: int
    learnt_through: int
    window: Samples

    @property
    def scorer(self) -> Scorer:
        """The model as it is applied."""
        return Scorer(trees=Trees.of(self.fitted.artifact), calibration=self.calibration)


def train(
    samples: Samples, config: ModelsConfig, monotone: Mapping[str, int], workers: Workers | None = None
) -> Trained:
    """Train a model; the same samples and config give the same one, whoever does the work.

    Raises InputError where the samples cannot be learnt from.
    """
    plan = config.training
    prepared = prepare(samples, plan)

    def alone(tasks: Sequence[Task]) -> list[Attempt]:
        return attempt(prepared.learning, prepared.folds, tasks, plan, monotone)

    work = workers or alone
    tried = configurations(config.search, plan.trials, plan.seed)
    attempts = work(tries_of(tried, len(prepared.folds)))
    tries = compare(prepared, tried, attempts)
    return finish(prepared, tries, attempts, work(last_tasks(prepared, tries)), config)


def last_tasks(prepared: Prepared, tries: Tries) -> list[Task]:
    """Return what is left to do with the best configuration: the model itself, and the folds with shuffled labels."""
    best = tries.configurations[tries.best]
    folds = range(len(prepared.folds))
    return [
        Task(number=tries.best, configuration=best, fold=None),
        *(Task(number=tries.best, configuration=best, fold=fold, shuffled=True) for fold in folds),
    ]


def finish(
    prepared: Prepared, tries: Tries, attempts: Sequence[Attempt], last: Sequence[Attempt], config: ModelsConfig
) -> Trained:
    """Put everything together that is known of a model once all its tasks are done."""
    plan, learning = config.training, prepared.learning
    fitted = next(each.fitted for each in last if each.task.fold is None)
    calibrated = calibrations(prepared, tries)
    area, feature = strongest_feature(learning)
    ours = Trees.of(fitted.artifact).margins(prepared.holdout.features)
    theirs = margins(fitted.artifact, prepared.holdout.features)
    return Trained(
        fitted=fitted,
        calibration=calibration_of(fitted, calibrated[tries.best]),
        best=tries.best,
        tried=_tried(prepared, tries, calibrated, config.gate.threshold),
        importance=_importance(fitted, prepared.holdout, plan.seed),
        curve=_learning_curve(prepared, tries, attempts),
        features=distributions_of(learning.names, learning.features),
        facts=TrainingFacts(
            overfitting=overfitting_of(daily_gains(prepared, tries)),
            shuffled_gain=shuffled_gain(prepared, last, plan.seed),
            feature_auc=area,
            feature_auc_of=feature,
            overlaps=prepared.overlaps,
            as_of_rows=0,
            unlike_as_of=None,
            unlike_loaded=int(np.count_nonzero(ours != theirs)),
        ),
        base_rate=learning.base_rate(),
        learnt=len(learning),
        learnt_from=int(learning.decided_at[0]),
        learnt_through=int(learning.exit_at.max()),
        window=prepared.holdout,
    )


def sharpe_spread(tried: Sequence[TriedConfiguration]) -> float:
    """Return the variance of the tried configurations' Sharpe ratios a day; 0 where fewer than two have one."""
    known = [each.daily_sharpe for each in tried if np.isfinite(each.daily_sharpe)]
    return float(np.var(known, ddof=1)) if len(known) > 1 else 0.0


def _tried(
    prepared: Prepared, tries: Tries, calibrated: Sequence[Calibration], threshold: float
) -> list[TriedConfiguration]:
    daily, trades = daily_returns(prepared, tries, calibrated, threshold)
    return [
        TriedConfiguration(
            configuration=each,
            log_loss=float(tries.losses[number]),
            trades=int(trades[number]),
            total_return=float(daily[:, number].sum()),
            daily_sharpe=sharpe_ratio(daily[:, number], 1),
            days=daily.shape[0],
        )
        for number, each in enumerate(tries.configurations)
    ]


def _importance(fitted: Fitted, holdout: Samples, seed: int) -> list[Importance]:
    lost = permutation_importance(fitted, holdout, sorted(fitted.gain), IMPORTANCE_ROWS, seed)
    found = [Importance(feature=name, gain=fitted.gain[name], permutation=cost) for name, cost in lost.items()]
    return sorted(found, key=lambda each: (-each.gain, each.feature))


def _learning_curve(prepared: Prepared, tries: Tries, attempts: Sequence[Attempt]) -> list[LearningStep]:
    chosen = [each for each in attempts if each.task.number == tries.best]
    return [
        _step(prepared, prepared.folds[each.task.fold].test, each)
        for each in sorted(chosen, key=lambda each: each.task.fold or 0)
        if each.task.fold is not None
    ]


def _step(prepared: Prepared, rows: Ints, found: Attempt) -> LearningStep:
    tested = prepared.learning.take(rows)

    def mean(probability: Floats) -> float:
        return float(np.average(log_losses(probability, tested.won), weights=tested.weight))

    return LearningStep(
        labels=found.trained_on,
        trained=float(found.fitted.trained[-1]),
        tested=mean(sigmoid(found.margins.astype(np.float64))),
        base=mean(np.full(len(tested), prepared.learning.base_rate())),
    )

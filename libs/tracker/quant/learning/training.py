"""From labels to a calibrated model: tries on folds, the best of them fitted again, an untouched end to judge by.

Work is cut into tasks that depend on nothing but the samples, so that any process can do any of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from tracker.domain.errors import InputError
from tracker.quant.bars import Bools, Floats, Ints, Singles
from tracker.quant.learning.boosting import Configuration, Fitted, Ground, fit, margins
from tracker.quant.learning.calibration import fit_platt, log_losses
from tracker.quant.learning.folds import Fold, overlapping, split_tail, walk_forward
from tracker.quant.learning.samples import Samples, by_day
from tracker.quant.learning.settings import TrainingPlan
from tracker.quant.models.scorer import Calibration, sigmoid


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Samples cut in two by time: what models are made from, with its folds, and the untouched end."""

    learning: Samples
    holdout: Samples
    folds: Sequence[Fold]

    @property
    def overlaps(self) -> int:
        """How many rows that are trained on share time with a test row, of a fold or of the end; it has to be none."""
        times = self.learning.decided_at, self.learning.exit_at
        inside = sum(int(overlapping(*times, each).sum()) for each in self.folds)
        rows = len(self.learning)
        both = (
            np.concatenate((times[0], self.holdout.decided_at)), np.concatenate((times[1], self.holdout.exit_at))
        )
        ends = Fold(train=np.arange(rows), test=np.arange(rows, rows + len(self.holdout)))
        return inside + int(overlapping(*both, ends).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One fit: configuration number `number` on fold `fold`, or on all there is to learn from (None).

    `shuffled`: with labels dealt anew, to see whether anything but the labels is learnt.
    """

    number: int
    configuration: Configuration
    fold: int | None
    shuffled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a task came to: the margins of its test rows, float32, offset included; none of a fit without a fold."""

    task: Task
    fitted: Fitted
    margins: Singles
    trained_on: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """All configurations on the rows that folds tested: `rows` (n,) of what is learnt from, `margins` (n, C)."""

    configurations: Sequence[Configuration]
    rows: Ints
    margins: Singles
    losses: Floats
    best: int


def prepare(samples: Samples, plan: TrainingPlan) -> Prepared:
    """Cut the samples; raises InputError where they are too few or do not reach over enough time."""
    if len(samples) < plan.min_labels:
        raise InputError(f"there are {len(samples)} labels that ended, and min_labels asks for {plan.min_labels}")
    cut = split_tail(samples.decided_at, samples.exit_at, plan.holdout_share, plan.embargo)
    learning = samples.take(cut.train)
    folds = walk_forward(learning.decided_at, learning.exit_at, plan.folds, plan.embargo)
    if len(folds) < 2:
        raise InputError(f"{len(learning)} labels leave {len(folds)} folds of {plan.folds}: they span too little time")
    return Prepared(learning=learning, holdout=samples.take(cut.test), folds=folds)


def tries_of(configurations: Sequence[Configuration], folds: int) -> list[Task]:
    """Return the tasks that compare configurations."""
    return [
        Task(number=number, configuration=each, fold=fold)
        for fold in range(folds)
        for number, each in enumerate(configurations)
    ]


def attempt(
    learning: Samples, folds: Sequence[Fold], tasks: Sequence[Task], plan: TrainingPlan, monotone: Mapping[str, int]
) -> list[Attempt]:
    """Do tasks, those on the same rows best one after the other; raises InputError where rows cannot be learnt from."""
    found: list[Attempt] = []
    for (number, shuffled), some in groupby(tasks, key=lambda each: (each.fold, each.shuffled)):
        samples = _dealt_anew(learning, plan.seed) if shuffled else learning
        rows = samples if number is None else samples.take(folds[number].train)
        ground = Ground.of(rows, plan)
        for each in some:
            fitted = fit(ground, each.configuration, plan, monotone, plan.seed, curve=number is None)
            tested = np.empty(0, dtype=np.float32)
            if number is not None:
                tested = margins(fitted.artifact, learning.features[folds[number].test]) + np.float32(fitted.offset)
            found.append(Attempt(task=each, fitted=fitted, margins=tested, trained_on=len(rows)))
    return found


def compare(prepared: Prepared, configurations: Sequence[Configuration], attempts: Sequence[Attempt]) -> Tries:
    """Put the folds together, and say which configuration loses least on rows it has not seen."""
    found = {(each.task.number, each.task.fold): each.margins for each in attempts if not each.task.shuffled}
    folds = range(len(prepared.folds))
    table = np.column_stack(
        [np.concatenate([found[number, fold] for fold in folds]) for number in range(len(configurations))]
    )
    rows = np.concatenate([each.test for each in prepared.folds])
    tested = prepared.learning.take(rows)
    losses = np.array(
        [np.average(log_losses(sigmoid(column), tested.won), weights=tested.weight) for column in _columns(table)]
    )
    return Tries(
        configurations=configurations, rows=rows, margins=table, losses=losses, best=int(np.argmin(losses))
    )


def calibrations(prepared: Prepared, tries: Tries) -> list[Calibration]:
    """Return each configuration's calibration, fitted on rows that its folds did not learn from."""
    tested = prepared.learning.take(tries.rows)
    return [fit_platt(column, tested.won, tested.weight) for column in _columns(tries.margins)]


def calibration_of(fitted: Fitted, folds: Calibration) -> Calibration:
    """Return the calibration of a model's own margins, which lack its offset, from that of margins with it."""
    return Calibration(slope=folds.slope, intercept=folds.intercept + folds.slope * fitted.offset)


def daily_gains(prepared: Prepared, tries: Tries) -> Floats:
    """Return by how much each configuration's log-loss lay below the base rate's on each day, (days, C)."""
    tested = prepared.learning.take(tries.rows)
    base = log_losses(np.full(len(tested), prepared.learning.base_rate()), tested.won)
    gains = [base - log_losses(sigmoid(column), tested.won) for column in _columns(tries.margins)]
    return np.column_stack([by_day(tested.days, each * tested.weight) for each in gains])


def daily_returns(
    prepared: Prepared, tries: Tries, calibrated: Sequence[Calibration], threshold: float
) -> tuple[Floats, Ints]:
    """Return what each configuration's trades over the threshold returned a day, (days, C), and how many they were."""
    tested = prepared.learning.take(tries.rows)
    chosen: list[Bools] = [
        each.probabilities(column) >= threshold
        for each, column in zip(calibrated, _columns(tries.margins), strict=True)
    ]
    earned = tested.net_return * tested.weight
    table = np.column_stack([by_day(tested.days, np.where(each, earned, 0.0)) for each in chosen])
    return table, np.array([int(each.sum()) for each in chosen], dtype=np.int64)


def shuffled_gain(prepared: Prepared, attempts: Sequence[Attempt], seed: int) -> float:
    """Return by how much models of labels dealt anew seem to beat those labels' base rate, nats a row.

    Where it is above 0 by more than luck, the folds tell models something of the rows they are tested on.
    """
    samples = _dealt_anew(prepared.learning, seed)
    gained, weight = 0.0, 0.0
    for each in attempts:
        if each.task.shuffled and each.task.fold is not None:
            tested = samples.take(prepared.folds[each.task.fold].test)
            base = log_losses(np.full(len(tested), samples.base_rate()), tested.won)
            found = log_losses(sigmoid(each.margins.astype(np.float64)), tested.won)
            gained += float(((base - found) * tested.weight).sum())
            weight += float(tested.weight.sum())
    return gained / weight if weight else float("nan")


def _dealt_anew(samples: Samples, seed: int) -> Samples:
    order = np.random.default_rng([seed, 73]).permutation(len(samples))
    return replace(samples, won=samples.won[order])


def _columns(table: Singles) -> list[Floats]:
    return [np.asarray(table[:, each], dtype=np.float64) for each in range(table.shape[1])]

"""Probabilities that mean what they say: fitted on predictions of rows that were not trained on, and measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.domain.errors import InputError
from tracker.quant.bars import Floats
from tracker.quant.models.scorer import Calibration, sigmoid

MOST_STEPS = 100
# No probability is ever surer than this; what is surer costs infinitely much when it is wrong.
SUREST = 1e-6
# Of margins that say nothing: the order is kept, nothing else.
LEAST_SLOPE = 1e-3


def fit_platt(margins: Floats, won: Floats, weight: Floats) -> Calibration:
    """Return the calibration under which the outcomes are likeliest.

    Formula: weighted logistic regression of the outcome on the margin, Newton's method; targets (N+ + 1) / (N+ + 2) and
    1 / (N- + 2) in the place of 1 and 0, N the weights. Where the margins say nothing, or the opposite of what happens,
    the slope is 1e-3 and the intercept that of the base rate: the order stays, the confidence goes.
    Source: Platt (1999); Lin, Lin and Weng (2007), A note on Platt's probabilistic outputs.
    Raises InputError without a won and a lost trade.
    """
    positive, negative = float(weight[won == 1].sum()), float(weight[won == 0].sum())
    if not (positive > 0 and negative > 0):
        raise InputError("calibration needs trades that were won and trades that were lost")
    target = np.where(won == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))
    slope, intercept = logistic_fit(margins, target, weight)
    if slope < LEAST_SLOPE:
        rate = float(np.average(target, weights=weight))
        centre = float(np.average(margins, weights=weight))
        return Calibration(slope=LEAST_SLOPE, intercept=float(np.log(rate / (1 - rate))) - LEAST_SLOPE * centre)
    return Calibration(slope=slope, intercept=intercept)


def logistic_fit(x: Floats, target: Floats, weight: Floats) -> tuple[float, float]:
    """Return slope and intercept of a weighted logistic regression on one variable; a constant one has slope 0."""
    rate = float(np.clip(np.average(target, weights=weight), SUREST, 1 - SUREST))
    start = float(np.log(rate / (1 - rate)))
    centre = float(np.average(x, weights=weight))
    spread = float(np.sqrt(np.average((x - centre) ** 2, weights=weight)))
    if not spread > 1e-12 * max(1.0, abs(centre)):
        return 0.0, start
    z = (x - centre) / spread
    a, b = 0.0, start
    loss = _loss(a * z + b, target, weight)
    for _ in range(MOST_STEPS):
        p = sigmoid(a * z + b)
        error, curve = weight * (p - target), weight * p * (1 - p) + 1e-12
        ga, gb = float((error * z).sum()), float(error.sum())
        haa, hab, hbb = float((curve * z * z).sum()), float((curve * z).sum()), float(curve.sum())
        determinant = haa * hbb - hab * hab
        if determinant <= 0:
            break
        da, db = (hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant
        step = 1.0
        while (after := _loss((a - step * da) * z + b - step * db, target, weight)) > loss and step > 1e-8:
            step /= 2
        a, b = a - step * da, b - step * db
        if loss - after <= 1e-12 * max(1.0, loss):
            break
        loss = after
    return a / spread, b - a * centre / spread


def log_losses(probability: Floats, won: Floats) -> Floats:
    """Return minus the log of the probability given to what happened, (n,)."""
    p = np.clip(probability, SUREST, 1 - SUREST)
    return -np.where(won == 1, np.log(p), np.log1p(-p))


def brier_scores(probability: Floats, won: Floats) -> Floats:
    """Return the squared distance of the probability from what happened, (n,)."""
    return (probability - won) ** 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """Rows in order of their probability, in bins of equal weight: mean probability, share won, weight, (B,) each.

    `effective` is how many independent outcomes a bin stands for.
    """

    predicted: Floats
    observed: Floats
    weight: Floats
    effective: Floats

    @property
    def expected_error(self) -> float:
        """The expected calibration error: the mean distance of share won and probability, by weight."""
        return float(np.average(np.abs(self.predicted - self.observed), weights=self.weight))

    @property
    def chance_error(self) -> float:
        """The error to expect of probabilities that are right: sqrt(2 / pi * p * (1 - p) / n) a bin."""
        spread = np.sqrt(2.0 / np.pi * self.predicted * (1.0 - self.predicted) / self.effective)
        return float(np.average(spread, weights=self.weight))


def reliability(probability: Floats, won: Floats, weight: Floats, bins: int = 10) -> Reliability:
    """Return how often trades were won that were given about the same probability; raises InputError without rows."""
    if not probability.size:
        raise InputError("there are no probabilities to compare with what happened")
    order = np.argsort(probability, kind="stable")
    cumulated = np.cumsum(weight[order]) - weight[order] / 2
    number = np.minimum((cumulated / weight.sum() * bins).astype(np.int64), bins - 1)
    w = weight[order]
    mass = np.bincount(number, w, bins).astype(np.float64)
    there = mass > 0
    safe = np.where(there, mass, 1.0)
    predicted = np.bincount(number, w * probability[order], bins) / safe
    observed = np.bincount(number, w * won[order], bins) / safe
    squares = np.bincount(number, w * w, bins)
    effective = np.minimum(mass, mass**2 / np.where(there, squares, 1.0))
    return Reliability(
        predicted=predicted[there], observed=observed[there], weight=mass[there], effective=effective[there]
    )


def calibration_slope(probability: Floats, won: Floats, weight: Floats) -> float:
    """Return the slope of the outcome's log-odds over the predicted ones: 1 is right, below 1 too sure of itself."""
    p = np.clip(probability, SUREST, 1 - SUREST)
    return logistic_fit(np.log(p / (1 - p)), won, weight)[0]


def area_under_curve(score: Floats, won: Floats) -> float:
    """Return how often a won trade has the higher score than a lost one, ties half; NaN without both."""
    positive = int(won.sum())
    negative = won.size - positive
    if not positive or not negative:
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts).astype(np.float64) - (counts - 1) / 2.0
    ranks = middle[inverse]
    return float((ranks[won == 1].sum() - positive * (positive + 1) / 2) / (positive * negative))


def _loss(margin: Floats, target: Floats, weight: Floats) -> float:
    return float((weight * (np.logaddexp(0.0, margin) - target * margin)).sum())

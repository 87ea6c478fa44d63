"""Whether a champion still does live what it was promoted for. Pure: figures in, a verdict out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from tracker.quant.bars import Bools, Floats, Ints
from tracker.quant.learning.bootstrap import lower_bound
from tracker.quant.learning.calibration import brier_scores, calibration_slope, reliability
from tracker.quant.learning.drift import FeatureDrift
from tracker.quant.learning.samples import effective_number
from tracker.quant.promotion import Comparison, Criterion

UNKNOWN = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchLimits:
    """When a champion has failed; the `[watch]` table of models.toml, which says what each number means."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    window_days: Annotated[int, Field(ge=1)]
    min_effective: Annotated[float, Field(gt=0)]
    min_trades: Annotated[float, Field(gt=0)]
    confidence: Annotated[float, Field(ge=0.5, lt=1)]
    bootstraps: Annotated[int, Field(ge=100)]
    block_days: Annotated[int, Field(ge=1)]
    max_bias: Annotated[float, Field(gt=0, lt=1)]
    min_return_share: Annotated[float, Field(ge=0, le=1)]
    min_drift_rows: Annotated[int, Field(ge=1)]
    max_psi: Annotated[float, Field(gt=0)]
    max_ks: Annotated[float, Field(gt=0, le=1)]
    max_drifted_share: Annotated[float, Field(gt=0, le=1)]
    max_age_days: Annotated[float, Field(gt=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveScores:
    """What a model said of setups that have ended since, (n,) by time; `taken` were traded."""

    probability: Floats
    won: Floats
    net_return: Floats
    weight: Floats
    days: Ints
    taken: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What it showed when it was judged: Brier score, mean net return of a trade, and the base rate it learnt."""

    base_rate: float
    brier: float
    mean_return: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFigures:
    """A model in a window; NaN where a figure is not known. Bounds are one-sided.

    `bias` is the share won less the mean probability, `bias_low` and `bias_high` its bounds. `base_gain_bound` is the
    upper bound of the Brier score gained on the base rate, `return_bound` that of the mean net return of a trade.
    `drifted_share` is the share of the model's gain from features that have drifted.
    """

    labels: int
    effective: float
    base_rate: float
    brier: float
    expected_brier: float
    base_gain_bound: float
    bias: float
    bias_low: float
    bias_high: float
    slope: float
    calibration_error: float
    trades: int
    effective_trades: float
    mean_return: float
    expected_return: float
    return_bound: float
    drift_rows: int
    drifted: int
    drifted_share: float
    age_days: float


class Action(StrEnum):
    """What follows: nothing, a new training, or the end of the champion."""

    KEEP = "keep"
    RETRAIN = "retrain"
    DEMOTE = "demote"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What the watch says; a criterion whose figure is not known yet holds."""

    demotes: Sequence[Criterion]
    retrains: Sequence[Criterion]

    @property
    def broken(self) -> list[Criterion]:
        """The criteria that do not hold, those that demote first."""
        return [each for each in (*self.demotes, *self.retrains) if not each.ok]

    @property
    def action(self) -> Action:
        """What follows."""
        if not all(each.ok for each in self.demotes):
            return Action.DEMOTE
        return Action.KEEP if all(each.ok for each in self.retrains) else Action.RETRAIN


def live_figures(
    live: LiveScores, expected: Expected, drift: Sequence[FeatureDrift], drift_rows: int, gains: dict[str, float],
    age_days: float, limits: WatchLimits, seed: int = 0,
) -> LiveFigures:  # fmt: skip
    """Measure a model's live scores; `gains` is what each feature was worth in training, `drift` of `drift_rows`."""
    w, p, won = live.weight, live.probability, live.won

    def lower(values: Floats, rows: Bools) -> float:
        return lower_bound(
            values[rows], w[rows], live.days[rows], block_days=limits.block_days, draws=limits.bootstraps,
            confidence=limits.confidence, seed=seed,
        )

    every = np.ones(p.size, dtype=np.bool_)
    there, traded = bool(p.size), bool(live.taken.any())
    base = brier_scores(np.full(p.size, expected.base_rate), won)
    moved = {each.feature for each in drift if each.psi > limits.max_psi and each.ks > limits.max_ks}
    whole = sum(gains.values())
    spread = reliability(p, won, w) if there else None
    return LiveFigures(
        labels=int(p.size),
        effective=effective_number(w),
        base_rate=float(np.average(won, weights=w)) if there else UNKNOWN,
        brier=float(np.average(brier_scores(p, won), weights=w)) if there else UNKNOWN,
        expected_brier=expected.brier,
        base_gain_bound=-lower(brier_scores(p, won) - base, every),
        bias=float(np.average(won - p, weights=w)) if there else UNKNOWN,
        bias_low=lower(won - p, every),
        bias_high=-lower(p - won, every),
        slope=calibration_slope(p, won, w) if there else UNKNOWN,
        calibration_error=UNKNOWN if spread is None else spread.expected_error - spread.chance_error,
        trades=int(live.taken.sum()),
        effective_trades=effective_number(w[live.taken]),
        mean_return=float(np.average(live.net_return[live.taken], weights=w[live.taken])) if traded else UNKNOWN,
        expected_return=expected.mean_return,
        return_bound=-lower(-live.net_return, live.taken) if traded else UNKNOWN,
        drift_rows=drift_rows,
        drifted=len(moved),
        drifted_share=sum(gains.get(name, 0.0) for name in moved) / whole if drift and whole else UNKNOWN,
        age_days=age_days,
    )


def judge_live(figures: LiveFigures, limits: WatchLimits) -> Watched:
    """Say which figures are as they must be.

    Only what is as good as certain counts: each bound, not the mean, has to lie beyond its limit; and only of enough
    independent setups, trades or rows.
    """
    enough = figures.effective >= limits.min_effective
    traded = figures.effective_trades >= limits.min_trades
    seen = figures.drift_rows >= limits.min_drift_rows
    # The least return that may be asked for lies at what was promised, and never below nothing.
    floor = max(0.0, limits.min_return_share * figures.expected_return) if figures.expected_return > 0 else 0.0
    at_least, at_most = Comparison.AT_LEAST, Comparison.AT_MOST
    return Watched(
        demotes=(
            _watched("calibration: share won less probability, at best", figures.bias_high, at_least,
                     -limits.max_bias, known=enough),
            _watched("calibration: share won less probability, at least", figures.bias_low, at_most,
                     limits.max_bias, known=enough),
            _watched("Brier score gained on the base rate, at best", figures.base_gain_bound, at_least, 0.0,
                     known=enough),
            _watched("mean net return of a trade, at best", figures.return_bound, at_least, floor, known=traded),
        ),
        retrains=(
            _watched("drift: share of the gain from features that moved", figures.drifted_share, at_most,
                     limits.max_drifted_share, known=seen),
            _watched("age in days", figures.age_days, at_most, limits.max_age_days, known=True),
        ),
    )  # fmt: skip


def _watched(name: str, number: float, comparison: Comparison, limit: float, *, known: bool) -> Criterion:
    if not known or not math.isfinite(number):
        return Criterion(name=name, number=None, comparison=comparison, limit=limit, ok=True)
    ok = number >= limit if comparison is Comparison.AT_LEAST else number <= limit
    return Criterion(name=name, number=number, comparison=comparison, limit=limit, ok=ok)

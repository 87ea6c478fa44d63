"""What a candidate has shown: on the window it was not trained on, in its training, and live in the shadow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tracker.domain.errors import InputError
from tracker.quant.backtest.trials import Trials
from tracker.quant.bars import Bools, Floats, Singles
from tracker.quant.learning.bootstrap import lower_bound
from tracker.quant.learning.calibration import (
    area_under_curve,
    brier_scores,
    calibration_slope,
    log_losses,
    reliability,
)
from tracker.quant.learning.samples import Samples, by_day, effective_number
from tracker.quant.learning.settings import ModelGate
from tracker.quant.metrics import kurtosis, sharpe_ratio, skewness
from tracker.quant.models.scorer import Scorer
from tracker.quant.overfitting import (
    deflated_sharpe_ratio,
    probabilistic_sharpe_ratio,
    probability_of_backtest_overfitting,
)

FEWEST_BLOCKS, MOST_BLOCKS = 4, 16
UNKNOWN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFigures:
    """How probabilities did on a window; lower bounds are one-sided, NaN where a figure is not known.

    Gains are log-loss or Brier score of the other less one's own, so above 0 is better; against the champion NaN where
    there is none. `calibration_error` is that beyond what chance explains. Shares are of the trades over the threshold,
    `deflated_sharpe` of their daily returns.
    """

    labels: int
    days: int
    effective: float
    base_rate: float
    log_loss: float
    brier: float
    auc: float
    base_gain: float
    base_brier_gain: float
    champion_gain: float
    champion_brier_gain: float
    slope: float
    calibration_error: float
    trades: int
    effective_trades: float
    trade_days: int
    mean_return: float
    return_bound: float
    symbol_share: float
    regime_share: float
    symbols: int
    daily_sharpe: float
    deflated_sharpe: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFacts:
    """What training has to say for itself; NaN or None where it was not found out.

    `overlaps` counts training rows that reach into a test; `unlike_as_of` feature rows that are not what was known at
    the decision, among `as_of_rows` compared; `unlike_loaded` rows that the stored bytes score otherwise than XGBoost.
    """

    overfitting: float
    shuffled_gain: float
    feature_auc: float
    feature_auc_of: str
    overlaps: int
    as_of_rows: int
    unlike_as_of: int | None
    unlike_loaded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowFigures:
    """Live scores of a candidate: hours from the first to the last outcome, trades, mean gain over the base rate."""

    hours: float
    trades: int
    base_gain: float


NO_SHADOW = ShadowFigures(hours=0.0, trades=0, base_gain=UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEvidence:
    """All that the gate judges by.

    `champion` tells whether there is one to beat, `champion_saw` for how many hours of the window's labels it was
    trained; `features_changed` how many features are not those that are computed now.
    """

    window: WindowFigures
    training: TrainingFacts
    shadow: ShadowFigures
    champion: bool
    champion_saw: float
    features_changed: int


def window_figures(
    window: Samples,
    probability: Floats,
    champion: Floats | None,
    base_rate: float,
    trials: Trials,
    limits: ModelGate,
    seed: int = 0,
) -> WindowFigures:
    """Measure probabilities (n,) on a window; `base_rate` is what was known before it began.

    Raises InputError where the window is empty.
    """
    if not len(window):
        raise InputError("the window has no labels that ended")
    weight, won = window.weight, window.won
    base = np.full(len(window), base_rate)
    loss, brier = log_losses(probability, won), brier_scores(probability, won)

    def bound(values: Floats, rows: Bools | None = None) -> float:
        some = slice(None) if rows is None else rows
        return lower_bound(
            values[some], weight[some], window.days[some], block_days=limits.block_days, draws=limits.bootstraps,
            confidence=limits.confidence, seed=seed,
        )

    taken = probability >= limits.threshold
    daily = by_day(window.days, np.where(taken, window.net_return * weight, 0.0))
    spread = reliability(probability, won, weight)
    return WindowFigures(
        labels=len(window),
        days=int(np.unique(window.days).size),
        effective=effective_number(weight),
        base_rate=window.base_rate(),
        log_loss=float(np.average(loss, weights=weight)),
        brier=float(np.average(brier, weights=weight)),
        auc=area_under_curve(probability, won),
        base_gain=bound(log_losses(base, won) - loss),
        base_brier_gain=bound(brier_scores(base, won) - brier),
        champion_gain=UNKNOWN if champion is None else bound(log_losses(champion, won) - loss),
        champion_brier_gain=UNKNOWN if champion is None else bound(brier_scores(champion, won) - brier),
        slope=calibration_slope(probability, won, weight),
        calibration_error=spread.expected_error - spread.chance_error,
        trades=int(taken.sum()),
        effective_trades=effective_number(weight[taken]),
        trade_days=int(np.unique(window.days[taken]).size),
        mean_return=float(np.average(window.net_return[taken], weights=weight[taken])) if taken.any() else UNKNOWN,
        return_bound=bound(window.net_return, taken) if taken.any() else UNKNOWN,
        symbol_share=_largest_gain(window, taken),
        regime_share=_largest_part(window, taken),
        symbols=int(np.unique(window.symbol).size),
        daily_sharpe=sharpe_ratio(daily, 1),
        deflated_sharpe=_deflated(daily, trials),
    )


def evidence_of(
    trained: TrainingFacts,
    scorer: Scorer,
    champion: Scorer | None,
    window: Samples,
    *,
    base_rate: float,
    champion_saw: float,
    trials: Trials,
    shadow: ShadowFigures,
    features_changed: int,
    limits: ModelGate,
) -> ModelEvidence:
    """Measure a candidate and the champion on the same window; each reads the features that it knows by name."""
    theirs = None if champion is None else champion.score(_columns_of(window, champion.trees.names))
    figures = window_figures(
        window, scorer.score(_columns_of(window, scorer.trees.names)), theirs, base_rate, trials, limits
    )
    return ModelEvidence(
        window=figures, training=trained, shadow=shadow, champion=champion is not None, champion_saw=champion_saw,
        features_changed=features_changed,
    )


def overfitting_of(daily: Floats) -> float:
    """Return the PBO of what was tried, (days, C); NaN where there are too few days or tries."""
    moving = daily[:, daily.min(axis=0) < daily.max(axis=0)]
    blocks = min(MOST_BLOCKS, moving.shape[0] // 2 // 2 * 2)
    if moving.shape[1] < 2 or blocks < FEWEST_BLOCKS:
        return UNKNOWN
    return probability_of_backtest_overfitting(moving, blocks)


def strongest_feature(samples: Samples) -> tuple[float, str]:
    """Return the largest area under the curve of one feature alone, whichever way it points, and its name.

    An honest feature of a market says little; one that says much has seen the trade's end.
    """
    best, name = 0.5, ""
    for column, each in enumerate(samples.names):
        values = samples.features[:, column]
        known = np.isfinite(values)
        area = area_under_curve(values[known].astype(np.float64), samples.won[known])
        if math.isfinite(area) and max(area, 1 - area) > best:
            best, name = max(area, 1 - area), each
    return best, name


def shadow_figures(
    probability: Floats, won: Floats, weight: Floats, base_rate: float, hours: float
) -> ShadowFigures:
    """Return what live scores came to that were followed by an outcome."""
    if not probability.size:
        return NO_SHADOW
    gain = log_losses(np.full(won.size, base_rate), won) - log_losses(probability, won)
    return ShadowFigures(hours=hours, trades=int(won.size), base_gain=float(np.average(gain, weights=weight)))


def _columns_of(samples: Samples, names: Sequence[str]) -> Singles:
    """Return the features in another order; one that is not there is missing in every row."""
    if tuple(names) == samples.names:
        return samples.features
    table = np.full((len(samples), len(names)), np.nan, dtype=np.float32)
    for place, name in enumerate(names):
        if name in samples.names:
            table[:, place] = samples.features[:, samples.names.index(name)]
    return table


def _largest_gain(window: Samples, taken: Bools) -> float:
    """Return the part of what all symbols that gained have gained that the best of them has."""
    if not taken.any():
        return UNKNOWN
    earned = np.bincount(window.symbol[taken], (window.net_return * window.weight)[taken])
    gained = earned[earned > 0]
    return float(gained.max() / gained.sum()) if gained.size else UNKNOWN


def _largest_part(window: Samples, taken: Bools) -> float:
    if not taken.any():
        return UNKNOWN
    parts = np.bincount(window.regime[taken], window.weight[taken])
    return float(parts.max() / parts.sum())


def _deflated(daily: Floats, trials: Trials) -> float:
    sharpe, skew, tails = sharpe_ratio(daily, 1), skewness(daily), kurtosis(daily)
    if daily.size < 3 or not all(math.isfinite(each) for each in (sharpe, skew, tails)):
        return UNKNOWN
    if trials.count < 2:
        return probabilistic_sharpe_ratio(sharpe, 0.0, daily.size, skew, tails)
    return deflated_sharpe_ratio(sharpe, trials.sharpe_variance, trials.count, daily.size, skew, tails)

"""Whether a candidate may score what is traded: every criterion with its number and its limit."""

from __future__ import annotations

from tracker.quant.learning.evidence import ModelEvidence, ShadowFigures, TrainingFacts, WindowFigures
from tracker.quant.learning.settings import ModelGate
from tracker.quant.promotion import Comparison, Criterion, Verdict, criterion

__all__ = ["Criterion", "Verdict", "judge"]

AT_LEAST, ABOVE, AT_MOST = Comparison.AT_LEAST, Comparison.ABOVE, Comparison.AT_MOST


def judge(evidence: ModelEvidence, limits: ModelGate) -> Verdict:
    """Judge a candidate by all criteria; a figure that is not known fails its own."""
    return Verdict(
        criteria=(
            *_window(evidence.window, limits),
            *_champion(evidence),
            *_trades(evidence.window, limits),
            *_training(evidence.training, limits),
            criterion("features that are computed otherwise now", evidence.features_changed, AT_MOST, 0),
            *_shadow(evidence.shadow, limits),
        )
    )


def _window(window: WindowFigures, limits: ModelGate) -> list[Criterion]:
    return [
        criterion("days in the window", window.days, AT_LEAST, limits.min_days),
        criterion("independent labels in the window", window.effective, AT_LEAST, limits.min_effective),
        criterion("lower bound of the log-loss gained on the base rate", window.base_gain, ABOVE, 0.0),
        criterion("lower bound of the Brier score gained on the base rate", window.base_brier_gain, ABOVE, 0.0),
        criterion("calibration slope", window.slope, AT_LEAST, limits.min_slope),
        criterion("calibration slope, from above", window.slope, AT_MOST, limits.max_slope),
        criterion("calibration error beyond chance", window.calibration_error, AT_MOST, limits.max_calibration_error),
    ]


def _champion(evidence: ModelEvidence) -> list[Criterion]:
    if not evidence.champion:
        return []
    window = evidence.window
    return [
        criterion("hours of the window that the champion was trained on", evidence.champion_saw, AT_MOST, 0.0),
        criterion("lower bound of the log-loss gained on the champion", window.champion_gain, ABOVE, 0.0),
        criterion("lower bound of the Brier score gained on the champion", window.champion_brier_gain, ABOVE, 0.0),
    ]


def _trades(window: WindowFigures, limits: ModelGate) -> list[Criterion]:
    # Of four symbols one has a quarter of the gain even where all are alike.
    most = max(limits.max_symbol_share, min(1.0, 2.0 / window.symbols)) if window.symbols else limits.max_symbol_share
    return [
        criterion("independent trades over the threshold", window.effective_trades, AT_LEAST, limits.min_trades),
        criterion("days with a trade over the threshold", window.trade_days, AT_LEAST, limits.min_trade_days),
        criterion("lower bound of the mean net return a trade", window.return_bound, ABOVE, limits.min_trade_return),
        criterion("share of the gain from one symbol", window.symbol_share, AT_MOST, most),
        criterion("share of the trades in one regime", window.regime_share, AT_MOST, limits.max_regime_share),
        criterion(
            "Deflated Sharpe over all logged trials", window.deflated_sharpe, AT_LEAST, limits.min_deflated_sharpe
        ),
    ]


def _training(facts: TrainingFacts, limits: ModelGate) -> list[Criterion]:
    found = [
        criterion("probability of backtest overfitting", facts.overfitting, AT_MOST, limits.max_overfitting),
        criterion("log-loss gained on shuffled labels", facts.shuffled_gain, AT_MOST, limits.max_shuffled_gain),
        criterion("area under the curve of one feature alone", facts.feature_auc, AT_MOST, limits.max_feature_auc),
        criterion("training labels that reach into a test", facts.overlaps, AT_MOST, 0),
        criterion("scores that change with saving and loading", facts.unlike_loaded, AT_MOST, 0),
    ]
    if limits.min_as_of_rows:
        found += [
            criterion("feature rows compared with live ones", facts.as_of_rows, AT_LEAST, limits.min_as_of_rows),
            criterion("feature rows unlike the live ones", facts.unlike_as_of, AT_MOST, 0),
        ]
    return found


def _shadow(shadow: ShadowFigures, limits: ModelGate) -> list[Criterion]:
    if not limits.min_shadow_hours:
        return []
    return [
        criterion("hours of live scores with outcomes", shadow.hours, AT_LEAST, limits.min_shadow_hours),
        criterion("live scores with outcomes", shadow.trades, AT_LEAST, limits.min_shadow_trades),
        criterion("log-loss gained on the base rate live", shadow.base_gain, ABOVE, 0.0),
    ]

"""The measure of warm-ups tells a declared one that is too short from one that is long enough."""

from __future__ import annotations

import math

import numpy as np
import pytest
import talib
from quant_builders import M15, default_params, walk
from tracker.domain.errors import InputError
from tracker.domain.signal import SkipReason, Strategy
from tracker.quant.bars import BarArrays
from tracker.quant.features import OWN_SPECS
from tracker.quant.features.matrix import feature_matrix
from tracker.quant.strategies import RULES
from tracker.quant.strategies.inputs import features_read
from tracker.quant.verify.subject import code_of, features_subject, strategy_subject
from tracker.quant.verify.synthetic import steady_market
from tracker.quant.verify.warmup import LONGER, decision_warm_up, warm_ups

SERIES = {0: walk(2_600, seed=3), 1: walk(2_600, seed=4)}
SAMPLES = [int(SERIES[0].ts[place]) + M15 for place in (2_100, 2_300, 2_599)]


def planted(series: dict[int, BarArrays]) -> dict[int, np.ndarray]:
    """An exact mean of 20, an average over 200 bars, its square, and something never known."""
    return {
        key: np.array([bars.close[-20:].mean(), talib.EMA(bars.close, 30)[-1], np.cumsum(bars.close)[-1], math.nan])
        for key, bars in series.items()
    }


def test_a_declared_warm_up_that_is_too_short_shows() -> None:
    declared = {"mean_20": 19, "ema_30": 60, "sum_of_all": 10, "never": 5}
    exact, average, everything, never = warm_ups(declared, planted, SERIES, SAMPLES, M15)
    assert (exact.declared, exact.deviation, exact.needed) == (19, 0.0, 19)
    assert 1e-5 < average.deviation < 1e-1
    # (1 - 2/31)^n of a seed some percent away.
    assert average.needed is not None
    assert 150 < average.needed < 300
    assert everything.deviation > 0.9
    assert everything.needed is None
    assert math.isnan(never.deviation)
    assert never.needed is None


def test_exact_features_need_no_more_than_they_declare() -> None:
    names = ("rsi_14", "donchian_96_position", "linreg_48_r2", "log_return_16", "body_share")
    declared = {spec.name: spec.warmup_bars for spec in OWN_SPECS if spec.name in names}

    def latest(series: dict[int, BarArrays]) -> dict[int, np.ndarray]:
        return {key: feature_matrix(bars, tuple(declared))[-1].astype(float) for key, bars in series.items()}

    found = {each.name: each for each in warm_ups(declared, latest, SERIES, SAMPLES, M15)}
    for name in names[1:]:
        assert found[name].needed == declared[name], name
        assert found[name].deviation <= 1e-6
    assert found["rsi_14"].needed is not None
    assert found["rsi_14"].needed > 42


def test_too_little_history_is_refused() -> None:
    with pytest.raises(InputError, match=f"more than {LONGER[-1]} are needed"):
        warm_ups({"mean_20": 19}, planted, {0: walk(500)}, [int(walk(500).ts[-1]) + M15], M15)


def test_decisions_settle_with_days_of_history() -> None:
    series = dict(enumerate(steady_market(20 * 96, M15).values()))
    rule = RULES[Strategy("swing")]
    features = features_subject(M15, 0, features_read(rule))
    subject = strategy_subject(rule, default_params(rule.name), features)
    samples = [int(series[0].ts[place]) + M15 for place in (-200, -90, -1)]
    found = decision_warm_up(subject, code_of(SkipReason.WARMING_UP), series, samples, M15)
    assert found.strategy == "swing"
    assert found.decisions == 9
    # 48 hours of the hourly channel, and the hour that is still open, are not there after two days.
    assert found.first == 3
    assert found.changed[2] == 9
    assert found.needed is not None
    assert found.changed[found.needed] == 0

"""Probabilities that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracker.domain.errors import InputError
from tracker.quant.learning.calibration import (
    LEAST_SLOPE,
    area_under_curve,
    calibration_slope,
    fit_platt,
    log_losses,
    logistic_fit,
    reliability,
)
from tracker.quant.models.scorer import sigmoid


def drawn(slope: float, intercept: float, rows: int = 40_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    margins = rng.normal(size=rows)
    won = (rng.random(rows) < sigmoid(slope * margins + intercept)).astype(float)
    return margins, won, rng.uniform(0.2, 1.0, rows)


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.3, -1.0), (2.5, 0.8)])
def test_what_was_put_in_is_found_again(slope: float, intercept: float) -> None:
    found = fit_platt(*drawn(slope, intercept))
    assert found.slope == pytest.approx(slope, abs=0.07)
    assert found.intercept == pytest.approx(intercept, abs=0.06)


def test_the_fit_is_that_of_another_library() -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    margins, won, weight = drawn(0.7, -0.4, 3000)
    theirs = linear.LogisticRegression(C=1e12, tol=1e-10, max_iter=1000)
    theirs.fit(margins[:, None], won, sample_weight=weight)
    slope, intercept = logistic_fit(margins, won, weight)
    assert slope == pytest.approx(float(theirs.coef_[0, 0]), rel=1e-4)
    assert intercept == pytest.approx(float(theirs.intercept_[0]), rel=1e-4)


@pytest.mark.parametrize("slope", [0.0, -1.0])
def test_margins_that_say_nothing_or_the_opposite_end_at_the_base_rate(slope: float) -> None:
    margins, won, weight = drawn(slope, -0.5, 4000)
    if slope == 0.0:
        margins = np.full_like(margins, 0.3)
    found = fit_platt(margins, won, weight)
    assert found.slope == LEAST_SLOPE
    assert found.probabilities(margins) == pytest.approx(np.average(won, weights=weight), abs=0.01)


def test_perfectly_separated_outcomes_give_finite_confidence() -> None:
    margins = np.linspace(-1, 1, 50)
    found = fit_platt(margins, (margins > 0).astype(float), np.ones(50))
    p = found.probabilities(margins)
    assert 0 < p.min() < 0.1
    assert 0.9 < p.max() < 1


def test_one_sided_outcomes_cannot_be_calibrated() -> None:
    with pytest.raises(InputError, match="won"):
        fit_platt(np.zeros(3), np.ones(3), np.ones(3))


def test_reliability_and_slope_tell_the_honest_from_the_too_sure() -> None:
    margins, won, weight = drawn(1.0, 0.0)
    honest, sure = sigmoid(margins), sigmoid(3 * margins)
    assert reliability(honest, won, weight).expected_error < 0.02
    assert reliability(sure, won, weight).expected_error > 0.1
    assert calibration_slope(honest, won, weight) == pytest.approx(1.0, abs=0.05)
    assert calibration_slope(sure, won, weight) == pytest.approx(1 / 3, abs=0.02)
    assert reliability(np.full(9, 0.4), np.ones(9), np.ones(9)).expected_error == pytest.approx(0.6)


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=60))
def test_area_under_the_curve_counts_pairs(rows: list[tuple[int, bool]]) -> None:
    score = np.array([each[0] for each in rows], dtype=float)
    won = np.array([each[1] for each in rows], dtype=float)
    high, low = score[won == 1], score[won == 0]
    if not high.size or not low.size:
        assert np.isnan(area_under_curve(score, won))
        return
    pairs = (high[:, None] > low[None, :]).mean() + (high[:, None] == low[None, :]).mean() / 2
    assert area_under_curve(score, won) == pytest.approx(pairs)


def test_a_certain_error_costs_much_but_not_infinitely() -> None:
    assert np.isfinite(log_losses(np.array([0.0, 1.0]), np.array([1.0, 0.0]))).all()

"""The numbers printed in the papers of Bailey, Lopez de Prado and others, and the bands PBO must fall into."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tracker.quant.overfitting import (
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
    probability_of_backtest_overfitting,
)

DAILY = 1 / math.sqrt(250)
SEEDS = range(10)


def returns_of(seed: int, periods: int = 1_000, trials: int = 50) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.01, (periods, trials))


def test_expected_maximum_of_a_hundred_trials() -> None:
    assert expected_maximum_sharpe(0.5 / 250, 100) == pytest.approx(0.1132, abs=5e-5)


def test_expected_maximum_of_few_trials_in_a_year() -> None:
    # Bailey et al. (2014), Pseudo-Mathematics and Financial Charlatanism: 10 trials reach 1.57 in a year of data,
    # 45 trials need five years to stay at 1.
    assert expected_maximum_sharpe(1.0, 10) == pytest.approx(1.57, abs=5e-3)
    assert expected_maximum_sharpe(1.0 / 5.0, 45) == pytest.approx(1.0, abs=5e-3)


@pytest.mark.parametrize(
    ("n_trials", "skewness", "kurtosis", "expected"),
    [
        (100, -3.0, 10.0, 0.9004),
        # The same paper: as many trials as leave 95%, with these returns and with normal ones.
        (46, -3.0, 10.0, 0.9505),
        (88, 0.0, 3.0, 0.9505),
    ],
)
def test_deflated_sharpe(n_trials: int, skewness: float, kurtosis: float, expected: float) -> None:
    found = deflated_sharpe_ratio(2.5 * DAILY, 0.5 / 250, n_trials, 1_250, skewness, kurtosis)
    assert found == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("skewness", "kurtosis", "expected"), [(0.0, 3.0, 0.982), (-2.448, 10.164, 0.913)])
def test_probabilistic_sharpe(skewness: float, kurtosis: float, expected: float) -> None:
    # Bailey and Lopez de Prado (2012): 24 months, Sharpe ratio 0.458 a month.
    assert probabilistic_sharpe_ratio(0.458, 0.0, 24, skewness, kurtosis) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(
    ("periods", "skewness", "kurtosis", "years"),
    [
        (250, 0.0, 3.0, 2.73),
        (52, 0.0, 3.0, 2.83),
        (12, 0.0, 3.0, 3.24),
        # Bailey and Lopez de Prado (2012): the monthly returns of a hedge fund index.
        (12, -0.72, 5.78, 4.99),
    ],
)
def test_minimum_track_record(periods: int, skewness: float, kurtosis: float, years: float) -> None:
    root = math.sqrt(periods)
    found = minimum_track_record_length(2 / root, 1 / root, skewness, kurtosis) / periods
    assert found == pytest.approx(years, abs=5e-3)


def test_noise_is_overfit_about_half_the_time() -> None:
    found = [probability_of_backtest_overfitting(returns_of(seed)) for seed in SEEDS]
    assert 0.4 < np.mean(found) < 0.7


def test_a_planted_strategy_is_not_overfit() -> None:
    for seed in SEEDS:
        returns = returns_of(seed)
        returns[:, 7] += 0.25 * 0.01
        assert probability_of_backtest_overfitting(returns) < 0.15

"""Figures that others publish for the same numbers."""

from __future__ import annotations

import pytest
from tracker.quant.metrics import (
    Drawdown,
    break_even_probability,
    cagr,
    expectancy,
    kurtosis,
    largest_drawdowns,
    max_drawdown,
    profit_factor,
    sharpe_ratio,
    skewness,
    sortino_ratio,
)


def test_expectancy_and_its_ratio() -> None:
    value, ratio = expectancy([100, 200, 50, -150, 300, -100, 80, -30])
    assert value == pytest.approx(56.25, abs=1e-12)
    assert ratio == pytest.approx(0.60267857, abs=5e-9)


def test_cagr() -> None:
    assert cagr(64_900, 176_000, 1_095) == pytest.approx(0.3945, abs=5e-5)


def test_profit_factor() -> None:
    assert profit_factor([10, -20, 30, -40]) == pytest.approx(0.6667, abs=5e-5)


def test_sharpe() -> None:
    assert sharpe_ratio([0.01, -0.02, 0.015, -0.005, 0.025], 252) == pytest.approx(4.48998886412873, rel=1e-13)


def test_drawdown_largest_in_money_and_largest_in_percent() -> None:
    equity = [1_000, 500, 1_000, 11_000, 10_000]
    assert max_drawdown(equity) == (1_000.0, 0.5)
    absolute, relative = largest_drawdowns(equity) or (None, None)
    assert absolute == Drawdown(amount=1_000.0, fraction=pytest.approx(0.090909, abs=5e-7), peak=3, trough=4)
    assert relative == Drawdown(amount=500.0, fraction=0.5, peak=0, trough=1)


def test_break_even_probability() -> None:
    assert break_even_probability(0.015, 0.015, 0.002) == pytest.approx(0.567, abs=5e-4)


def test_sortino_counts_every_return_in_the_downside() -> None:
    # Rollinger and Hoffman (2013), Sortino: A 'Sharper' Ratio; annual returns, target 0.
    returns = [0.17, 0.15, 0.23, -0.05, 0.12, 0.09, 0.13, -0.04]
    assert sortino_ratio(returns, 1) == pytest.approx(4.417, abs=5e-4)


def test_moments_of_a_fair_die_and_a_rare_event() -> None:
    # Textbook values: kurtosis of a discrete uniform with n values 3 - 6 (n^2 + 1) / (5 (n^2 - 1)); a Bernoulli
    # with p = 0.1 has skewness (1 - 2p) / sqrt(pq) and kurtosis 3 + (1 - 6pq) / pq.
    assert kurtosis([1, 2, 3, 4, 5, 6]) == pytest.approx(3 - 6 * 37 / (5 * 35), rel=1e-12)
    assert skewness([1, 2, 3, 4, 5, 6]) == pytest.approx(0.0, abs=1e-12)
    rare = [1.0] + [0.0] * 9
    assert skewness(rare) == pytest.approx(0.8 / 0.3, rel=1e-12)
    assert kurtosis(rare) == pytest.approx(3 + (1 - 6 * 0.09) / 0.09, rel=1e-12)

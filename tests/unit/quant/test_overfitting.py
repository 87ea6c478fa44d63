"""The probability figures and the cross-validation: properties, edges, and a plain second implementation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tracker.domain.errors import InputError
from tracker.quant.overfitting import (
    cross_validate,
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
    probability_of_backtest_overfitting,
)

sharpes = st.floats(-0.5, 0.5)
skews = st.floats(-2, 2)


def noise(seed: int, periods: int = 60, trials: int = 7) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.01, (periods, trials))


def plain_logits(performance: np.ndarray, n_blocks: int) -> list[float]:
    """The procedure of the paper, one split and one trial at a time."""
    blocks = np.array_split(np.arange(performance.shape[0]), n_blocks)
    logits: list[float] = []
    for chosen in itertools.combinations(range(n_blocks), n_blocks // 2):
        inside = np.concatenate([blocks[each] for each in chosen])
        outside = np.concatenate([blocks[each] for each in range(n_blocks) if each not in chosen])
        best = int(np.argmax(plain_sharpes(performance[inside])))
        out = plain_sharpes(performance[outside])
        rank = np.sum(out < out[best]) + (np.sum(out == out[best]) + 1) / 2
        weight = rank / (performance.shape[1] + 1)
        logits.append(math.log(weight / (1 - weight)))
    return logits


def plain_sharpes(half: np.ndarray) -> np.ndarray:
    spread = half.std(axis=0, ddof=1)
    return np.where(np.ptp(half, axis=0) == 0, 0.0, half.mean(axis=0) / np.where(spread == 0, 1.0, spread))


@given(sharpes, sharpes, st.floats(0, 0.5), st.integers(2, 5_000), skews, st.floats(0, 10))
def test_psr_rises_with_the_sharpe_and_falls_with_the_benchmark(
    sharpe: float, benchmark: float, more: float, n: int, skew: float, extra: float
) -> None:
    kurt = 1 + skew**2 + 0.01 + extra
    psr = probabilistic_sharpe_ratio(sharpe, benchmark, n, skew, kurt)
    assert 0 <= psr <= 1
    assert probabilistic_sharpe_ratio(sharpe, benchmark + more, n, skew, kurt) <= psr
    assert probabilistic_sharpe_ratio(sharpe, sharpe, n, skew, kurt) == 0.5
    # Beyond 2 / |skewness| the error grows as fast as the ratio; below it more Sharpe is more certainty.
    normal = probabilistic_sharpe_ratio(sharpe, 0.0, n, 0.0, 3.0)
    assert probabilistic_sharpe_ratio(sharpe + more, 0.0, n, 0.0, 3.0) >= normal - 1e-12


@given(st.floats(0.01, 0.5), st.integers(2, 2_000), st.integers(1, 2_000))
def test_a_longer_record_makes_a_good_sharpe_surer(sharpe: float, n: int, more: int) -> None:
    short = probabilistic_sharpe_ratio(sharpe, 0.0, n, 0.0, 3.0)
    assert probabilistic_sharpe_ratio(sharpe, 0.0, n + more, 0.0, 3.0) >= short


@given(sharpes, st.floats(0, 0.1), st.integers(2, 10**9), st.integers(2, 5_000))
def test_choosing_among_trials_never_makes_it_surer(sharpe: float, variance: float, trials: int, n: int) -> None:
    deflated = deflated_sharpe_ratio(sharpe, variance, trials, n, 0.0, 3.0)
    assert deflated <= probabilistic_sharpe_ratio(sharpe, 0.0, n, 0.0, 3.0)
    assert deflated_sharpe_ratio(sharpe, variance, trials * 2, n, 0.0, 3.0) <= deflated + 1e-12


def test_the_expected_maximum_is_near_what_chance_does() -> None:
    drawn = np.random.default_rng(5).normal(0.0, 0.3, (20_000, 50)).max(axis=1).mean()
    assert expected_maximum_sharpe(0.09, 50) == pytest.approx(drawn, rel=0.02)


def test_any_number_of_trials_has_a_maximum() -> None:
    found = [expected_maximum_sharpe(1.0, n) for n in (2, 10, 1e6, 1e15, 1e17, 1e100)]
    assert found == sorted(found)
    assert all(math.isfinite(each) for each in found)


@given(st.floats(0.02, 0.5), skews, st.floats(0, 10), st.floats(0.6, 0.99))
def test_the_minimum_track_record_is_what_psr_needs(
    sharpe: float, skew: float, extra: float, confidence: float
) -> None:
    kurt = 1 + skew**2 + 0.01 + extra
    length = minimum_track_record_length(sharpe, 0.0, skew, kurt, confidence)
    if length >= 2:
        assert probabilistic_sharpe_ratio(sharpe, 0.0, length, skew, kurt) == pytest.approx(confidence, abs=1e-9)


def test_no_record_is_long_enough_for_what_is_not_better() -> None:
    assert minimum_track_record_length(0.1, 0.1, 0.0, 3.0) == math.inf
    assert minimum_track_record_length(-0.1, 0.0, 0.0, 3.0) == math.inf


@pytest.mark.parametrize("n_blocks", [2, 4, 6, 8])
@pytest.mark.parametrize("shape", [(60, 7), (61, 2), (67, 20)])
def test_cross_validation_as_one_would_write_it_down(n_blocks: int, shape: tuple[int, int]) -> None:
    performance = noise(n_blocks, *shape)
    found = cross_validate(performance, n_blocks)
    assert sorted(found.logits) == pytest.approx(sorted(plain_logits(performance, n_blocks)), abs=1e-12)
    assert found.logits.size == math.comb(n_blocks, n_blocks // 2)


def test_sharpe_ratios_of_the_best_inside_and_outside() -> None:
    performance = noise(3, 40, 5)
    found = cross_validate(performance, 2)
    first, second = plain_sharpes(performance[:20]), plain_sharpes(performance[20:])
    expected = [(first.max(), second[first.argmax()]), (second.max(), first[second.argmax()])]
    pairs = list(zip(found.in_sample.tolist(), found.out_of_sample.tolist(), strict=True))
    assert np.array(sorted(pairs)) == pytest.approx(np.array(sorted(expected)))
    assert found.loss_probability == np.mean([each[1] < 0 for each in expected])


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.permutations(range(6)), st.integers(1, 6), st.floats(1e-3, 1e3))
def test_neither_order_nor_stake_of_the_trials_matters(
    seed: int, order: list[int], copies: int, stake: float
) -> None:
    performance = np.hstack([noise(seed, 50, 6), np.zeros((50, copies))])
    # Trials that traded once each tie at 0 wherever they did not trade.
    performance[5 : 5 + copies, 6:] = np.eye(copies) * 0.01
    shuffled = performance[:, [*order, *range(5 + copies, 5, -1)]] * stake
    assert probability_of_backtest_overfitting(shuffled, 6) == probability_of_backtest_overfitting(performance, 6)


def test_copies_of_a_trial_share_their_rank() -> None:
    single = noise(1, 64, 1)
    # All are equally good in every half, so each is in the middle.
    found = cross_validate(np.hstack([single, 2 * single, single / 3]), 8)
    assert found.logits == pytest.approx(0.0)
    assert found.probability == 1.0


def test_a_trial_that_did_not_trade_in_a_half_stands_at_zero() -> None:
    performance = noise(2, 64, 4) - 0.02
    performance[:32, 0] = 0.0
    found = cross_validate(performance, 8)
    assert sorted(found.logits) == pytest.approx(sorted(plain_logits(performance, 8)))
    assert 0.0 in found.in_sample


def test_many_trials_are_taken_in_pieces() -> None:
    performance = noise(4, 32, 9_000)
    assert sorted(cross_validate(performance, 8).logits) == pytest.approx(sorted(plain_logits(performance, 8)))


def changed(column: int, value: float) -> np.ndarray:
    performance = noise(0)
    performance[:, column] = value
    return performance


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        (lambda: probabilistic_sharpe_ratio(math.nan, 0, 10, 0, 3), "sharpe is nan, not a finite number"),
        (lambda: probabilistic_sharpe_ratio(0.1, 0, 1, 0, 3), "n_observations is 1, below 2"),
        (lambda: probabilistic_sharpe_ratio(1, 0, 10, 2, 1), "kurtosis is 1, too small for skewness 2"),
        (lambda: expected_maximum_sharpe(1, 1), "n_trials is 1, below 2: nothing was chosen among trials"),
        (lambda: deflated_sharpe_ratio(0.1, 1, 1, 10, 0, 3), "n_trials is 1, below 2"),
        (lambda: expected_maximum_sharpe(-1, 5), "sharpe_variance is -1, below 0"),
        (lambda: minimum_track_record_length(0.1, 0, 0, 3, 1.0), "confidence is 1.0, not from 0.5 to below 1"),
        (lambda: minimum_track_record_length(0.1, 0, math.inf, 3), "skewness is inf, not a finite number"),
        (lambda: cross_validate(noise(0), 5), "n_blocks is 5, not an even number from 2 to 24"),
        (lambda: cross_validate(noise(0), 0), "n_blocks is 0, not an even number"),
        (lambda: cross_validate(noise(0), 26), "n_blocks is 26, not an even number"),
        (lambda: cross_validate(noise(0, periods=15)), "performance has 15 rows, below 16 for n_blocks 16"),
        (lambda: cross_validate(noise(0, periods=3), 2), "performance has 3 rows, below 4 for n_blocks 2"),
        (lambda: cross_validate(noise(0, trials=1)), "performance has 1 columns, below 2"),
        (lambda: cross_validate(changed(3, 0.0)), "performance column 3 is constant at 0.0"),
        (lambda: cross_validate(changed(2, math.nan)), "performance[0, 2] is nan, not a finite number"),
        (lambda: cross_validate([0.1, 0.2]), "performance has 1 dimensions, not 2"),
    ],
)
def test_refuses(figure: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        figure()
    assert message in str(caught.value)

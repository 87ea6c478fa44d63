"""Outcomes against formulas written out for one variation, and what luck does to the best of many."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracker.quant.metrics import kurtosis, max_drawdown, sharpe_ratio, skewness
from tracker.quant.overfitting import deflated_sharpe_ratio, probabilistic_sharpe_ratio
from tracker.quant.shadow.engine import Period
from tracker.quant.shadow.outcomes import Returns, outcomes
from tracker.quant.shadow.periods import packed_period, unpacked_periods

HOUR = 3_600
DAY = 86_400


def random_returns(seed: int, periods: int = 200, variations: int = 12, edge: float = 0.0) -> Returns:
    rng = np.random.default_rng(seed)
    returns = rng.normal(edge, 0.01, (periods, variations)) * (rng.random((periods, variations)) < 0.4)
    trades = rng.integers(0, 3, (periods, variations)).astype(np.float64)
    sums = rng.normal(edge, 0.02, (periods, variations)) * trades
    lived = rng.integers(0, periods // 2, variations)
    lived[:3] = 0
    for number, begin in enumerate(lived.tolist()):
        returns[:begin, number] = np.nan
    returns[:, 1] = np.where(np.isnan(returns[:, 1]), np.nan, 0.0)
    return Returns(
        ends_at=np.arange(1, periods + 1) * HOUR + 100 * DAY,
        seconds=HOUR, returns=returns, trades=trades, trade_returns=sums,
    )  # fmt: skip


@given(st.integers(0, 10_000))
def test_each_figure_is_that_of_its_formula(seed: int) -> None:
    given_returns = random_returns(seed)
    found = outcomes(given_returns, DAY, trials=500, seed=1)
    sharpes = [
        sharpe_ratio(own, 1) for own in (column[np.isfinite(column)] for column in given_returns.returns.T)
    ]
    spread = float(np.var([each for each in sharpes if math.isfinite(each)], ddof=1))
    for number, column in enumerate(given_returns.returns.T):
        known = np.isfinite(column)
        own = column[known]
        equity = np.concatenate(([1.0], np.cumprod(1.0 + own)))
        close = {"rel": 1e-9, "abs": 1e-12, "nan_ok": True}
        assert found.hours[number] == len(own)
        assert found.trades[number] == given_returns.trades[known, number].sum()
        assert found.total_return[number] == pytest.approx(equity[-1] - 1.0, **close)
        assert found.max_drawdown[number] == pytest.approx(max_drawdown(equity)[1], **close)
        middle = len(own) // 2
        assert found.first_half_return[number] == pytest.approx(equity[middle] - 1.0, **close)
        assert found.second_half_return[number] == pytest.approx(equity[-1] / equity[middle] - 1.0, **close)
        assert found.sharpe[number] == pytest.approx(sharpes[number] * math.sqrt(24 * 365), **close)
        if number == 1:
            assert all(math.isnan(each) for each in (found.sharpe[1], found.psr[1], found.dsr[1]))
            continue
        shape = skewness(own), kurtosis(own)
        psr = probabilistic_sharpe_ratio(sharpes[number], 0.0, len(own), *shape)
        floor = max(spread, 1.0 / (len(own) - 1))
        dsr = deflated_sharpe_ratio(sharpes[number], floor, 500, len(own), *shape)
        assert found.psr[number] == pytest.approx(psr, **close)
        assert found.dsr[number] == pytest.approx(dsr, **close)


def test_the_bound_is_that_of_resampled_blocks() -> None:
    given_returns = random_returns(5, periods=240)
    found = outcomes(given_returns, DAY, trials=10, seed=3)
    blocks = (given_returns.ends_at - 1) // DAY
    names = np.unique(blocks)
    weights = np.random.default_rng(3).multinomial(len(names), np.full(len(names), 1 / len(names)), 1_000)
    for number in (0, 2, 5):
        known = np.isfinite(given_returns.returns[:, number])
        counts = [given_returns.trades[(blocks == each) & known, number].sum() for each in names]
        sums = [given_returns.trade_returns[(blocks == each) & known, number].sum() for each in names]
        means = (weights @ np.array(sums)) / np.maximum(weights @ np.array(counts), 1e-300)
        assert found.lower_bound[number] == pytest.approx(np.quantile(means, 0.05))
        assert found.p_value[number] == pytest.approx((np.count_nonzero(means <= 0) + 1) / 1_001)
        assert found.mean_trade_return[number] == pytest.approx(sum(sums) / sum(counts))


def test_of_few_days_nothing_is_said_with_confidence() -> None:
    found = outcomes(random_returns(5, periods=96), DAY, trials=10, seed=3)
    assert np.isnan(found.lower_bound).all()
    assert np.isnan(found.p_value).all()


def test_no_period_at_all_is_no_outcome() -> None:
    found = outcomes(random_returns(5).after(10**12), DAY, trials=10, seed=3)
    assert (found.hours == 0).all()
    assert (found.total_return == 0).all()
    assert np.isnan(found.dsr).all()


def test_the_best_of_thousands_without_skill_is_no_discovery_and_one_with_skill_is() -> None:
    rng = np.random.default_rng(1)
    periods, variations = 720, 3_000
    returns = rng.normal(0.0, 0.002, (periods, variations))
    returns[:, 77] += 0.0008
    nothing = np.zeros((periods, variations))
    found = outcomes(
        Returns(
            ends_at=np.arange(1, periods + 1) * HOUR, seconds=HOUR, returns=returns, trades=nothing,
            trade_returns=nothing,
        ),
        DAY, trials=variations, seed=1,
    )  # fmt: skip
    assert np.flatnonzero(found.dsr >= 0.95).tolist() == [77]
    assert np.count_nonzero(found.psr >= 0.95) > 100


def test_variations_that_resemble_each_other_are_not_thereby_less_lucky() -> None:
    """One lucky account, copied a thousand times, stays one lucky account."""
    rng = np.random.default_rng(4)
    lucky = rng.normal(0.0003, 0.002, (720, 1))
    returns = lucky + rng.normal(0.0, 1e-6, (720, 1_000))
    nothing = np.zeros_like(returns)
    found = outcomes(
        Returns(ends_at=np.arange(1, 721) * HOUR, seconds=HOUR, returns=returns, trades=nothing, trade_returns=nothing),
        DAY, trials=1_000, seed=1,
    )  # fmt: skip
    assert (found.psr > 0.95).all()
    assert (found.dsr < 0.95).all()


@given(st.integers(0, 10_000))
def test_periods_come_back_from_their_bytes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    numbers = np.sort(rng.choice(40, 12, replace=False))
    period = Period(
        ends_at=0, returns=rng.normal(0, 0.01, 12), trades=rng.integers(0, 9, 12).astype(np.float64),
        trade_returns=rng.normal(0, 0.1, 12),
    )  # fmt: skip
    row = packed_period(period, numbers)
    returns, trades, sums = unpacked_periods([row], np.array([*numbers.tolist(), 50]))
    assert returns[0, :12] == pytest.approx(period.returns, rel=1e-6)
    assert (trades[0, :12] == period.trades).all()
    assert sums[0, :12] == pytest.approx(period.trade_returns, rel=1e-6)
    assert math.isnan(returns[0, 12])
    absent = np.setdiff1d(np.arange(numbers.max()), numbers)
    assert np.isnan(unpacked_periods([row], absent)[0]).all()

"""What holds for any returns, equity and trades."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tracker.quant.metrics import (
    buy_and_hold,
    drawdown_curve,
    expectancy,
    kurtosis,
    largest_drawdowns,
    max_drawdown,
    max_drawdown_duration,
    monthly_returns,
    period_returns,
    profit_factor,
    random_entry_p_value,
    sharpe_ratio,
    skewness,
    sortino_ratio,
    total_return,
    win_rate,
)

returns = st.lists(st.integers(-5_000, 5_000).map(lambda bps: bps / 10_000), min_size=2, max_size=60)
equity = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=60)
pnls = st.lists(st.integers(-1_000, 1_000), min_size=1, max_size=60)


@given(returns, st.floats(0.01, 100.0))
def test_sharpe_sortino_and_shape_do_not_depend_on_the_stake(series: list[float], stake: float) -> None:
    assume(len(set(series)) > 1)
    scaled = [value * stake for value in series]
    for figure in (lambda x: sharpe_ratio(x, 365), lambda x: sortino_ratio(x, 365), skewness, kurtosis):
        assert figure(scaled) == pytest.approx(figure(series), rel=1e-6, abs=1e-9)


@given(returns)
def test_the_other_side_has_the_opposite_sharpe(series: list[float]) -> None:
    assume(len(set(series)) > 1)
    opposite = [-value for value in series]
    assert sharpe_ratio(opposite, 365) == pytest.approx(-sharpe_ratio(series, 365), rel=1e-9, abs=1e-9)


@given(returns)
def test_kurtosis_is_at_least_what_skewness_asks_for(series: list[float]) -> None:
    assume(len(set(series)) > 1)
    assert kurtosis(series) >= 1 + skewness(series) ** 2 - 1e-9


@given(equity)
def test_drawdowns_are_bounded_and_found_where_they_are(series: list[float]) -> None:
    absolute, relative = max_drawdown(series)
    assert 0 <= absolute <= max(series) - min(series)
    assert 0 <= relative < 1
    assert relative == pytest.approx(drawdown_curve(series).max())
    for found in largest_drawdowns(series) or ():
        assert found.peak <= found.trough
        assert found.amount == series[found.peak] - series[found.trough]
        assert found.fraction == pytest.approx(found.amount / series[found.peak])
    assert 0 <= max_drawdown_duration(series) <= len(series) - 1


@given(equity)
def test_the_longest_drawdown_as_counted_bar_by_bar(series: list[float]) -> None:
    peak, at, longest, below = series[0], 0, 0, False
    for index, value in enumerate(series):
        if value >= peak:
            longest = max(longest, index - at) if below else longest
            peak, at, below = value, index, False
        else:
            below = True
            longest = max(longest, index - at)
    assert max_drawdown_duration(series) == longest


@given(equity)
def test_rising_equity_has_no_drawdown(series: list[float]) -> None:
    assert max_drawdown(sorted(series)) == (0.0, 0.0)
    assert max_drawdown_duration(sorted(series)) == 0


# Not from a million to a cent: 1 + return would keep no digits of that.
@given(
    st.lists(st.floats(1, 1_000), min_size=2, max_size=60),
    st.integers(0, 2_000_000_000),
    st.integers(1, 40 * 86_400),
)
def test_returns_compound_to_the_total(series: list[float], start: int, step: int) -> None:
    total = 1 + total_return(series)
    assert np.prod(1 + period_returns(series)) == pytest.approx(total, rel=1e-9)
    months = monthly_returns(start + step * np.arange(len(series)), series)
    assert math.prod(1 + each.value for each in months) == pytest.approx(total, rel=1e-9)
    assert len({(each.year, each.month) for each in months}) == len(months)


@given(pnls)
def test_trade_figures_agree_on_the_sign(trades: list[int]) -> None:
    value, ratio = expectancy(trades)
    factor = profit_factor(trades)
    assert 0 <= win_rate(trades) <= 1
    if not math.isnan(factor):
        assert (factor > 1) == (value > 0)
        assert (ratio > 0) == (value > 0)


@given(st.floats(-10, 10), st.lists(st.floats(-10, 10), max_size=50), st.floats(0, 5))
def test_a_better_result_is_never_more_likely_by_luck(observed: float, drawn: list[float], more: float) -> None:
    p = random_entry_p_value(observed, drawn)
    assert 0 < p <= 1
    assert random_entry_p_value(observed + more, drawn) <= p


@given(st.lists(st.tuples(st.floats(1, 100), st.floats(1, 100)), min_size=1, max_size=20), st.floats(1, 1e6))
def test_the_basket_lies_between_its_symbols(closes: list[tuple[float, float]], cash: float) -> None:
    basket = buy_and_hold(closes, cash)
    alone = np.array(closes) / np.array(closes[0]) * cash
    assert np.all(basket >= alone.min(axis=1) * (1 - 1e-9))
    assert np.all(basket <= alone.max(axis=1) * (1 + 1e-9))

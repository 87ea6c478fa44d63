"""Each figure at its edges, and what it refuses."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from tracker.domain.errors import InputError
from tracker.quant import metrics as m

inf, nan = math.inf, math.nan
ONE_YEAR = 365.0


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        # Empty.
        (lambda: m.sharpe_ratio([], 365), nan),
        (lambda: m.sortino_ratio([], 365), nan),
        (lambda: m.annual_volatility([], 365), nan),
        (lambda: m.skewness([]), nan),
        (lambda: m.kurtosis([]), nan),
        (lambda: m.total_return([]), nan),
        (lambda: m.calmar_ratio([], ONE_YEAR), nan),
        (lambda: m.max_drawdown([]), (nan, nan)),
        (lambda: m.max_drawdown_duration([]), 0),
        (lambda: m.time_under_water([]), nan),
        (lambda: m.profit_factor([]), nan),
        (lambda: m.expectancy([]), (nan, nan)),
        (lambda: m.win_rate([]), nan),
        (lambda: m.average_trade([]), nan),
        (lambda: m.system_quality_number([]), nan),
        (lambda: m.cost_share([], []), nan),
        (lambda: m.turnover([], [], ONE_YEAR), nan),
        (lambda: m.exposure([], []), nan),
        (lambda: m.time_in_market([]), nan),
        (lambda: m.random_entry_p_value(1.0, []), 1.0),
        # One value.
        (lambda: m.sharpe_ratio([0.01], 365), nan),
        (lambda: m.sortino_ratio([-0.01], 365), nan),
        (lambda: m.system_quality_number([1.0]), nan),
        (lambda: m.total_return([100]), 0.0),
        (lambda: m.max_drawdown([100]), (0.0, 0.0)),
        (lambda: m.max_drawdown_duration([100]), 0),
        (lambda: m.time_under_water([100]), 0.0),
        (lambda: m.expectancy([-5]), (-5.0, -1.0)),
        # Zero variance: the deviation of ten times 0.1 is not exactly 0 in floats.
        (lambda: m.sharpe_ratio([0.1] * 10, 365), nan),
        (lambda: m.annual_volatility([0.1] * 10, 365), 0.0),
        (lambda: m.skewness([0.1] * 10), nan),
        (lambda: m.kurtosis([0.1] * 10), nan),
        (lambda: m.system_quality_number([0.1] * 10), nan),
        (lambda: m.sortino_ratio([0.0, 0.0], 365), nan),
        # No losses, all losses, neither.
        (lambda: m.sortino_ratio([0.01, 0.02], 365), inf),
        (lambda: m.profit_factor([1, 2]), inf),
        (lambda: m.profit_factor([-1, -2]), 0.0),
        (lambda: m.profit_factor([0, 0]), nan),
        (lambda: m.expectancy([1, 3]), (2.0, inf)),
        (lambda: m.expectancy([-1, -3]), (-2.0, -1.0)),
        (lambda: m.expectancy([0, 0]), (0.0, nan)),
        (lambda: m.win_rate([1, 0, -1, 2]), 0.5),
        (lambda: m.calmar_ratio([100, 110, 121], ONE_YEAR), inf),
        (lambda: m.calmar_ratio([100, 100], ONE_YEAR), nan),
        (lambda: m.cost_share([1, 1], [-5, -6]), inf),
        # Ruin.
        (lambda: m.cagr(100, 0, 30), -1.0),
        (lambda: m.cagr(100, -20, 30), -1.0),
        (lambda: m.total_return([100, -20]), -1.2),
        (lambda: m.max_drawdown([100, 0]), (100.0, 1.0)),
        (lambda: m.max_drawdown([100, -20, 50]), (120.0, 1.2)),
        (lambda: m.calmar_ratio([100, 0], ONE_YEAR), -1.0),
        (lambda: m.period_returns([100, 50, 0, 0, 80, 90]), [-0.5, -1.0, 0.0, 0.0, 0.0]),
        # A growth that no float holds.
        (lambda: m.cagr(1, 2, 0.01), inf),
        (lambda: m.cagr(1e-300, 1e300, 365), inf),
    ],
)
def test_edges(figure: Callable[[], Any], expected: Any) -> None:
    assert figure() == pytest.approx(expected, nan_ok=True, rel=1e-12)


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (lambda: m.annual_volatility([0.01, -0.01], 4), 0.01 * math.sqrt(2) * 2),
        (lambda: m.sortino_ratio([0.03, -0.01], 1, target=0.01), 0.0),
        (lambda: m.calmar_ratio([100, 200, 100, 150], ONE_YEAR), 1.0),
        (lambda: m.drawdown_curve([100, 80, 120, 60]), [0, 0.2, 0, 0.5]),
        (lambda: m.max_drawdown_duration([10, 9, 10, 9, 9, 11, 12, 11]), 3),
        (lambda: m.max_drawdown_duration([10, 11, 12]), 0),
        (lambda: m.max_drawdown_duration([10, 10, 10]), 0),
        (lambda: m.max_drawdown_duration([10, 9, 10, 9, 9, 9, 8]), 4),
        (lambda: m.time_under_water([10, 9, 10, 9]), 0.5),
        (lambda: m.average_trade([0.02, -0.01, 0.05]), 0.02),
        (lambda: m.system_quality_number([1, 3]), math.sqrt(2) * 2 / math.sqrt(2)),
        (lambda: m.cost_share([1, 2, 3], [10, -5, 20]), 0.2),
        (lambda: m.turnover([100, 110, -90], [100, 200], 365 / 2), 2.0),
        (lambda: m.exposure([0, 50, 100], [100, 100, 200]), 1 / 3),
        (lambda: m.time_in_market([0, 50, 100, 0]), 0.5),
        (lambda: m.adverse_excursions([100, 100], [95, 101]), [0.05, 0.0]),
        (lambda: m.favourable_excursions([100, 100], [98, 103]), [0.0, 0.03]),
        (lambda: m.random_entry_p_value(2.0, [1.0, 2.0, 3.0, 0.5]), 0.6),
        (lambda: m.break_even_probability(0.01, 0.01, 0.02), 1.5),
        (lambda: m.buy_and_hold([[10, 1], [20, 1], [20, 3]], 100), [100, 150, 250]),
        (lambda: m.buy_and_hold([[10, nan], [20, 4], [20, 8]], 100), [100, 150, 200]),
        (lambda: m.buy_and_hold([[10.0], [20.0]], 101, fee_rate=0.01), [100, 200]),
        (lambda: m.buy_and_hold(np.empty((0, 2)), 100), []),
        (lambda: m.buy_and_hold([[nan, 1], [nan, 2]], 100), [100, 150]),
    ],
)
def test_values(figure: Callable[[], Any], expected: Any) -> None:
    assert figure() == pytest.approx(expected, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        (lambda: m.sharpe_ratio([0.1, nan], 365), "returns[1] is nan, not a finite number"),
        (lambda: m.sortino_ratio([inf, 0.1], 365), "returns[0] is inf, not a finite number"),
        (lambda: m.sharpe_ratio([0.1, 0.2], 0), "periods_per_year is 0, not above 0"),
        (lambda: m.sharpe_ratio([0.1, 0.2], nan), "periods_per_year is nan, not a finite number"),
        (lambda: m.sharpe_ratio([[0.1, 0.2]], 365), "returns has 2 dimensions, not 1"),
        (lambda: m.sharpe_ratio(["much"], 365), "returns holds something that is not a number"),
        (lambda: m.kurtosis([nan]), "returns[0] is nan"),
        (lambda: m.max_drawdown([100, nan]), "equity[1] is nan"),
        (lambda: m.max_drawdown([0, 100]), "equity[0] is 0.0, not above 0"),
        (lambda: m.total_return([-1, 100]), "equity[0] is -1.0, not above 0"),
        (lambda: m.cagr(0, 100, 365), "start is 0, not above 0"),
        (lambda: m.cagr(100, 100, 0), "days is 0, not above 0"),
        (lambda: m.cagr(100, nan, 365), "end is nan"),
        (lambda: m.profit_factor([1, 2, nan]), "pnls[2] is nan"),
        (lambda: m.expectancy([nan]), "pnls[0] is nan"),
        (lambda: m.cost_share([1], [1, 2]), "costs has 1 values where gross_pnls has 2"),
        (lambda: m.cost_share([-1], [1]), "costs[0] is -1.0, below 0"),
        (lambda: m.turnover([1], [100, 0], 30), "equity[1] is 0.0, not above 0"),
        (lambda: m.exposure([-1], [1]), "position_values[0] is -1.0, below 0"),
        (lambda: m.adverse_excursions([0], [1]), "entries[0] is 0.0, not above 0"),
        (lambda: m.excursion_summary([0.1], [-0.1], [1]), "mfe[0] is -0.1, below 0"),
        (lambda: m.random_entry_p_value(nan, [1]), "observed is nan"),
        (lambda: m.random_entry_p_value(1, [nan]), "simulated[0] is nan"),
        (lambda: m.break_even_probability(0, 1, 0), "win is 0, not above 0"),
        (lambda: m.break_even_probability(1, 1, -1), "cost is -1, below 0"),
        (lambda: m.buy_and_hold([[1, 2], [nan, 2]], 100), "closes[1, 0] is nan, not a price above 0"),
        (lambda: m.buy_and_hold([[1, 0]], 100), "closes[0, 1] is 0.0, not a price above 0"),
        (lambda: m.buy_and_hold(np.empty((3, 0)), 100), "closes has no symbols"),
        (lambda: m.buy_and_hold([[1]], 100, fee_rate=-1), "fee_rate is -1, below 0"),
        (lambda: m.monthly_returns(np.array([1, 1]), [1, 2]), "ts does not ascend at index 1: 1, 1"),
        (lambda: m.monthly_returns(np.array([1]), [1, 2]), "ts has 1 values where equity has 2"),
    ],
)
def test_refuses(figure: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        figure()
    assert message in str(caught.value)


def test_months_end_at_the_close_of_their_last_bar() -> None:
    moments = [(2024, 1, 1), (2024, 1, 15), (2024, 2, 1), (2024, 2, 2), (2024, 4, 1), (2024, 4, 2)]
    ts = np.array([int(datetime(*day, tzinfo=UTC).timestamp()) for day in moments])
    found = m.monthly_returns(ts, [100, 90, 110, 121, 121, 242])
    expected = [(2024, 1, 0.1), (2024, 2, 0.1), (2024, 3, 0.0), (2024, 4, 1.0)]
    assert [(each.year, each.month) for each in found] == [each[:2] for each in expected]
    assert [each.value for each in found] == pytest.approx([each[2] for each in expected])
    assert m.monthly_returns(ts[:1], [100]) == ()


def test_months_before_1970_and_over_the_year() -> None:
    moments = [(1969, 12, 1), (1969, 12, 31), (1970, 1, 2)]
    ts = np.array([int(datetime(*day, tzinfo=UTC).timestamp()) for day in moments])
    assert [(each.year, each.month) for each in m.monthly_returns(ts, [1, 1, 1])] == [(1969, 12), (1970, 1)]


def test_excursions_by_outcome() -> None:
    found = m.excursion_summary([0.01, 0.02, 0.05, 0.04], [0.04, 0.06, 0.01, 0.03], [10, 20, -30, -5])
    assert found == m.ExcursionSummary(
        mae_mean=pytest.approx(0.03),
        mae_median=pytest.approx(0.03),
        mae_90th=pytest.approx(0.047),
        mae_winners=pytest.approx(0.015),
        mfe_mean=pytest.approx(0.035),
        mfe_median=pytest.approx(0.035),
        mfe_90th=pytest.approx(0.054),
        mfe_losers=pytest.approx(0.02),
        edge_ratio=pytest.approx(0.035 / 0.03),
    )
    none = m.excursion_summary([], [], [])
    assert math.isnan(none.mae_mean)
    assert math.isnan(none.edge_ratio)
    assert m.excursion_summary([0.0], [0.1], [1]).edge_ratio == inf

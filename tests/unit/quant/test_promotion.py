"""The gate: every criterion by itself keeps a candidate out, and what is not known never lets one in."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracker.quant.promotion import Evidence, GateLimits, gate

LIMITS = GateLimits(
    window="30d", min_days=21, min_trades=100, min_deflated_sharpe=0.95, min_trade_return=0.0, min_half_return=0.0
)
GOOD = Evidence(
    days=30, trades=240, deflated_sharpe=0.97, lower_bound=0.0004, first_half_return=0.02, second_half_return=0.01,
    retired=False, rules_changed=0,
)
FIGURES = [each.name for each in fields(Evidence) if each.name not in ("retired", "rules_changed")]


def test_a_good_one_passes_and_every_criterion_is_told() -> None:
    verdict = gate(GOOD, LIMITS)
    assert verdict.passed
    assert verdict.failed == []
    assert len(verdict.criteria) == len(fields(Evidence))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"days": 20.9}, "days in the window is 20.9, and has to be at least 21"),
        ({"trades": 99}, "trades is 99, and has to be at least 100"),
        ({"deflated_sharpe": 0.949}, "Deflated Sharpe over all variations is 0.949, and has to be at least 0.95"),
        ({"lower_bound": 0.0}, "lower bound of the mean net return a trade is 0, and has to be above 0"),
        ({"first_half_return": 0.0}, "return of the first half is 0, and has to be above 0"),
        ({"second_half_return": -0.01}, "return of the second half is -0.01, and has to be above 0"),
        ({"retired": True}, "retired is 1, and has to be at most 0"),
        ({"rules_changed": 2}, "rules of trading unlike the live ones is 2, and has to be at most 0"),
        ({"deflated_sharpe": None}, "Deflated Sharpe over all variations is not known, and has to be at least 0.95"),
        ({"lower_bound": math.nan}, "lower bound of the mean net return a trade is not known, and has to be above 0"),
    ],
)
def test_each_criterion_by_itself_keeps_out(changes: dict[str, Any], sentence: str) -> None:
    verdict = gate(replace(GOOD, **changes), LIMITS)
    assert not verdict.passed
    assert [each.sentence for each in verdict.failed] == [sentence]


@given(st.data())
def test_worse_figures_never_get_in_where_better_ones_do_not(data: st.DataObject) -> None:
    figure = st.floats(-2, 400, allow_nan=False) | st.none()
    better = Evidence(
        **{name: data.draw(figure) for name in FIGURES}, retired=data.draw(st.booleans()),
        rules_changed=data.draw(st.integers(0, 2)),
    )
    worse = {
        name: None if data.draw(st.booleans()) or (value := getattr(better, name)) is None
        else value - data.draw(st.floats(0, 10))
        for name in FIGURES
    }
    if not gate(better, LIMITS).passed:
        assert not gate(replace(better, **worse), LIMITS).passed
    assert gate(better, LIMITS).passed == all(each.ok for each in gate(better, LIMITS).criteria)

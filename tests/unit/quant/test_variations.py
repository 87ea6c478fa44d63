"""What a sweep tries, and what it makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pytest
from annotated_types import Ge, Gt, Le
from hypothesis import given
from hypothesis import strategies as st
from tracker.domain.errors import InputError
from tracker.quant.backtest.selection import neighbours, overfitting, sharpes, stands_alone, walk_forward
from tracker.quant.backtest.variations import draw, grid_of, grid_points, ranges_of


@dataclass(frozen=True, kw_only=True)
class Params:
    share: Annotated[float, Ge(0), Le(1)] = 0.8
    count: Annotated[int, Ge(1)] = 4
    distance: Annotated[float, Gt(0)] = 2.0
    tilt: float = 0.0


@pytest.mark.parametrize(
    ("text", "grid"),
    [
        ("a=1|2|3", {"a": (1, 2, 3)}),
        ("a=0.5:0.8:0.1", {"a": (0.5, 0.6, 0.7, 0.8)}),
        ("a=1:5:2, b=0.25", {"a": (1, 3, 5), "b": (0.25,)}),
        ("a=-1:1:1", {"a": (-1, 0, 1)}),
        ("a=1:2:0.7", {"a": (1, 1.7)}),
    ],
)
def test_a_grid_is_read(text: str, grid: dict[str, tuple[float, ...]]) -> None:
    assert grid_of(text) == grid


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no parameter"),
        ("a", "'a' is not NAME=VALUES"),
        ("=1", "is not NAME=VALUES"),
        ("a=x", "'x' is not a number"),
        ("a=nan", "'nan' is not a finite number"),
        ("a=1:2", "NAME=LOW:HIGH:STEP"),
        ("a=2:1:1", "HIGH not below LOW"),
        ("a=1:2:0", "STEP above 0"),
        ("a=1,a=2", "'a' stands there twice"),
    ],
)
def test_a_grid_that_cannot_be_read_is_named(text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        grid_of(text)
    assert words in str(caught.value)


def test_every_combination_comes_once() -> None:
    points = grid_points(grid_of("a=1|2,b=3|4|5"))
    assert points[:2] == [{"a": 1, "b": 3}, {"a": 1, "b": 4}]
    assert len({tuple(each.values()) for each in points}) == 6


@given(st.integers(0, 2**32))
def test_draws_stay_inside_the_bounds(seed: int) -> None:
    drawn = draw(ranges_of(Params()), np.random.default_rng(seed))
    assert 0.4 <= drawn["share"] <= 1
    assert drawn["count"] in range(2, 7)
    assert isinstance(drawn["count"], int)
    assert 1.0 <= drawn["distance"] <= 3.0
    assert -1 <= drawn["tilt"] <= 1


def test_only_the_named_parameters_are_drawn() -> None:
    assert set(ranges_of(Params(), ("count",))) == {"count"}
    with pytest.raises(InputError, match="'nothing' is not a number"):
        ranges_of(Params(), ("nothing",))


def test_a_walk_forward_never_sees_the_days_it_is_judged_on() -> None:
    rng = np.random.default_rng(1)
    daily = rng.normal(0.0, 0.01, (100, 5))
    before = walk_forward(daily, 4)
    changed = daily.copy()
    changed[before.folds[2].begin :] = rng.normal(0.0, 0.01, (100 - before.folds[2].begin, 5))
    after = walk_forward(changed, 4)
    assert [each.chosen for each in after.folds[:3]] == [each.chosen for each in before.folds[:3]]
    assert np.array_equal(after.returns[: before.folds[2].begin - 20], before.returns[: before.folds[2].begin - 20])
    assert before.folds[0].begin == 20
    assert before.folds[-1].end == 100
    assert len(before.returns) == 80


def test_a_try_that_is_better_all_the_time_is_chosen_all_the_time() -> None:
    daily = np.random.default_rng(2).normal(0.0, 0.01, (200, 6))
    daily[:, 3] += 0.01
    assert {each.chosen for each in walk_forward(daily, 4).folds} == {3}
    assert overfitting(daily) < 0.15


def test_tries_that_never_traded_are_no_choice() -> None:
    daily = np.zeros((60, 3))
    daily[:, 1] = np.random.default_rng(3).normal(-0.001, 0.01, 60)
    assert np.isnan(sharpes(daily)[[0, 2]]).all()
    assert {each.chosen for each in walk_forward(daily, 3).folds} == {1}
    assert np.isnan(overfitting(daily))


def test_too_few_days_for_the_folds_are_refused() -> None:
    with pytest.raises(InputError, match="need at least 10 days"):
        walk_forward(np.zeros((9, 2)), 4)


@pytest.mark.parametrize(("peak", "alone"), [(5.0, True), (1.1, False)])
def test_a_peak_is_told_from_a_plateau(peak: float, alone: bool) -> None:
    points = grid_points(grid_of("a=1|2|3,b=1|2|3"))
    values = np.ones(9)
    values[4] = peak
    assert sorted(neighbours(points, 4).tolist()) == [1, 3, 5, 7]
    assert stands_alone(points, values, 4) is alone

"""A rule tells by which numbers it decides, and it is by those that it decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, make_dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quant_builders import START, default_params
from test_strategies import STRATEGIES, frame_of_row, frames
from tracker.domain.errors import InputError
from tracker.domain.signal import SkipReason, Strategy
from tracker.quant.condition import (
    Kind,
    above,
    all_of,
    any_of,
    at_least,
    at_most,
    below,
    fading,
    not_below,
    rising,
)
from tracker.quant.frame import FeatureFrame
from tracker.quant.regime import REGIME_FEATURES
from tracker.quant.strategies import RULES, Proposals
from tracker.quant.strategies.explain import Explanation, Fact, explain
from tracker.quant.strategies.verdict import HoldParams, conclude, single_entry

NAN = float("nan")
HOLD = HoldParams(max_hold_minutes=60)


def column(*values: float) -> np.ndarray:
    return np.array(values)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (at_least("x", column(1, 2, 3, NAN), 2.0), [False, True, True, False]),
        (at_most("x", column(1, 2, 3, NAN), 2.0), [True, True, False, False]),
        (above("x", column(1, 2, 3, NAN), 2.0), [False, False, True, False]),
        (below("x", column(1, 2, 3, NAN), 2.0), [True, False, False, False]),
        (not_below("x", column(1, 2, 3, NAN), 2.0), [False, True, True, True]),
        (at_least("x", column(1, 2, 3, 4), column(0, 3, 3, 5)), [True, False, True, False]),
        (all_of("b", above("x", column(1, 2, 3), 1.0), below("x", column(1, 2, 3), 3.0)), [False, True, False]),
        (any_of("b", above("x", column(1, 2, 3), 2.0), below("x", column(1, 2, 3), 2.0)), [True, False, True]),
    ],
)
def test_who_meets_a_condition(condition: Any, holds: list[bool]) -> None:
    assert condition.holds().tolist() == holds


def test_scores_run_from_nought_to_one() -> None:
    values = column(-1, 0, 5, 10, 11)
    assert rising("x", values, worst=0.0, best=10.0).points().tolist() == [0, 0, 0.5, 1, 1]
    assert rising("x", values, worst=10.0, best=0.0).points().tolist() == [1, 1, 0.5, 0, 0]
    assert fading("x", values, best=0.0, worst=10.0).points().tolist() == [1, 1, 0.5, 0, 0]


def first_failed(facts: Sequence[Fact]) -> Fact | None:
    return next((fact for fact in facts if fact.kind is Kind.GATE and not fact.holds), None)


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_the_conditions_told_are_those_that_decided(strategy: Strategy, data: st.DataObject) -> None:
    frame = data.draw(frames(strategy))
    rule, params = RULES[strategy], default_params(strategy)
    found = explain(rule, frame, params)
    plain = rule.evaluate(frame, params)
    for field in fields(Proposals):
        assert getattr(found.proposals, field.name).tobytes() == getattr(plain, field.name).tobytes(), field.name
    for row in range(len(frame)):
        facts = found.facts(row)
        failed = first_failed(facts)
        assert (None if failed is None else failed.reason) == plain.reason[row]
        if plain.reason[row] is not SkipReason.WARMING_UP:
            met = [fact.holds for fact in facts if fact.kind is Kind.CONFIRMATION]
            points = [fact.points for fact in facts if fact.kind is Kind.SCORE]
            assert (len(met), sum(met)) == (5, plain.confirmations[row])
            assert np.mean(points) == pytest.approx(plain.strength[row])
            assert numbers_agree(facts)


def numbers_agree(facts: Sequence[Fact]) -> bool:
    """Tell whether each number lies on the side of its limit that `holds` says, and the margin says it too."""
    for fact in facts:
        if fact.parts:
            joined = all if fact.relation == "all of" else any
            assert fact.holds == joined(part.holds for part in fact.parts), fact
            assert numbers_agree(fact.parts)
        elif fact.margin is not None and not np.isnan(fact.margin) and fact.margin != 0.0:
            assert fact.holds == (fact.margin > 0.0), fact
    return True


@pytest.mark.parametrize(
    ("strategy", "changes", "name", "observed", "limit", "margin", "of"),
    [
        (Strategy("dca"), {"rsi_14": 39.0}, "rsi_14", 39.0, 38.0, -1.0, "max_rsi"),
        (Strategy("swing"), {"h1_adx_14": 15.0}, "h1_adx_14", 15.0, 18.0, -3.0, "min_h1_adx"),
        (Strategy("swing"), {"h1_minus_di_14": 36.0}, "h1_plus_di_14", 35.0, 36.0, -1.0, "h1_minus_di_14"),
        (Strategy("channel"), {"natr_14": 0.07}, "natr_14", 0.07, 0.08, -0.01, "min_natr_pct"),
        (Strategy("channel"), {"linreg_48_position": 0.3}, "linreg_48_position", 0.3, 0.25, -0.05, "max_position"),
        (Strategy("dca"), {"mfi_14": 50, "bb_20_percent_b": 1, "volume_ratio_20": 1, "lower_wick_share": 0},
         "confirmations", 1.0, 2.0, -1.0, "min_confirmations"),
    ],
)
def test_the_failed_condition_has_its_numbers(
    strategy: Strategy, changes: dict[str, float], name: str, observed: float, limit: float, margin: float, of: str
) -> None:
    found = explain(RULES[strategy], frame_of_row(strategy, **changes), default_params(strategy))
    fact = first_failed(found.facts(0))
    assert fact is not None
    assert (fact.name, fact.observed, fact.limit, fact.of) == (name, observed, limit, of)
    assert fact.margin == pytest.approx(margin)


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_parameters_may_differ_from_row_to_row(strategy: Strategy, data: st.DataObject) -> None:
    """Rows decided together under parameters of their own are what each is alone."""
    frame = data.draw(frames(strategy))
    rule, params = RULES[strategy], default_params(strategy)
    shared = {"rungs", "size_growth", "spacing_growth", "max_hold_minutes"}
    numbers = {field.name: getattr(params, field.name) for field in fields(params)}
    factors = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))).uniform(0.8, 1.2, len(frame))
    arrays = {name: value if name in shared else value * factors for name, value in numbers.items()}
    together = rule.evaluate(frame, make_dataclass("Rows", numbers)(**arrays))
    for row in range(len(frame)):
        own = make_dataclass("Row", numbers)(
            **{name: value if name in shared else float(value[row]) for name, value in arrays.items()}
        )
        alone = rule.evaluate(frame.take(np.array([row])), own)
        for name in ("is_signal", "strength", "confirmations", "stop", "target"):
            assert getattr(together, name)[row].tobytes() == getattr(alone, name)[0].tobytes(), name
        assert together.reason[row] == alone.reason[0]


def concluded(frame: FeatureFrame, gates: Sequence[Any]) -> Proposals:
    n = len(frame)
    return conclude(
        frame, known=np.ones(n, dtype=bool), gates=gates, strength=np.ones(n), confirmations=np.ones(n, dtype=np.int64),
        plan=single_entry(frame.close * 0.9, frame.close * 1.1), params=HOLD,
    )  # fmt: skip


def three_closes() -> FeatureFrame:
    columns = {name: np.full(3, NAN) for name in REGIME_FEATURES}
    return FeatureFrame(close=column(1, 2, 3), decided_at=np.full(3, START), columns=columns)


class Written:
    """A rule of one's own, with a plain mask and a condition with numbers."""

    name = Strategy("written")
    required_features = ()
    params = HoldParams

    def evaluate(self, frame: FeatureFrame, params: Any) -> Proposals:
        mask = frame.close > 1.0
        few = SkipReason.VOLUME_TOO_LOW
        return concluded(frame, [(mask, SkipReason.NO_SETUP), at_most("close", frame.close, 2.5, few)])


def test_plain_masks_are_named_by_their_reason_and_have_no_numbers() -> None:
    found = explain(Written(), three_closes(), HOLD)
    assert found.proposals.reason.tolist() == [SkipReason.NO_SETUP, None, SkipReason.VOLUME_TOO_LOW]
    known, plain, numbered, ordered = found.facts(0)
    assert (known.name, ordered.name) == ("inputs known", "prices in order")
    assert (plain.name, plain.holds, plain.observed, plain.limit) == ("no_setup", False, None, None)
    assert (numbered.observed, numbered.limit, numbered.margin) == (1.0, 2.5, 1.5)


def test_a_rule_that_concludes_by_itself_has_no_conditions() -> None:
    class Own(Written):
        def evaluate(self, frame: FeatureFrame, params: Any) -> Proposals:
            return super().evaluate(replace(frame, witness=None), params)

    found: Explanation = explain(Own(), three_closes(), HOLD)
    assert found.facts(1) == []


def test_a_gate_without_a_reason_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="the gate 'close' has no reason"):
        concluded(three_closes(), [at_most("close", column(1, 2, 3), 2.5)])

"""Thousands at once say bit for bit what each says alone; a rule that cannot is asked one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import pytest
from shadow_builders import past, shipped_swarms, some
from tracker.domain.signal import SkipReason, Strategy
from tracker.quant.bars import BarArrays, Floats
from tracker.quant.frame import FeatureFrame
from tracker.quant.shadow.evaluation import BlockRule, Found
from tracker.quant.strategies import RULES
from tracker.quant.strategies.base import Proposals
from tracker.quant.strategies.verdict import HoldParams, conclude, single_entry


def one_by_one(rule: Any, params: list[Any], frame: FeatureFrame) -> list[Proposals]:
    return [rule.evaluate(frame, each) for each in params]


def assert_same(found: Found, alone: list[Proposals]) -> None:
    place = 0
    for number, proposals in enumerate(alone):
        for row in np.flatnonzero(proposals.is_signal).tolist():
            assert (found.variation[place], found.row[place]) == (number, row)
            for each in fields(Proposals):
                block, single = getattr(found.proposals, each.name)[place], getattr(proposals, each.name)[row]
                if isinstance(single, np.ndarray):
                    assert np.isnan(block[len(single) :]).all()
                    block = block[: len(single)]
                assert np.array_equal(block, single, equal_nan=isinstance(single, float | np.ndarray)), each.name
            place += 1
    assert place == len(found)


@pytest.mark.parametrize("strategy", sorted(RULES))
def test_a_block_says_what_its_variations_say_alone(strategy: Strategy) -> None:
    frame = past(strategy).frame
    frame = frame.take(np.arange(0, len(frame), 3))
    params = [each.params for each in some(strategy, 40)]
    rule = BlockRule(RULES[strategy], params)
    found = rule.evaluate(lambda _: frame)
    assert not rule.one_by_one
    assert len(found) > 10
    assert_same(found, one_by_one(RULES[strategy], params, frame))
    assert rule.apart == (("rungs",) if strategy == "dca" else ())


def test_all_shipped_variations_can_be_evaluated_at_once() -> None:
    for strategy, swarm in shipped_swarms().items():
        frame = past(strategy).frame
        rule = BlockRule(swarm.config.rule, [each.params for each in swarm.variations])
        frame = frame.take(np.arange(100, 130))
        rule.evaluate(lambda _, frame=frame: frame)
        assert not rule.one_by_one, strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class DipParams(HoldParams):
    max_rsi: float
    mode: str = "plain"


@dataclass(frozen=True, slots=True)
class Dip:
    """Buys a low RSI; `kind` says how it treats its parameters."""

    kind: str
    name: ClassVar[Strategy] = Strategy("dip")
    params: ClassVar[type[DipParams]] = DipParams
    required_features: ClassVar[tuple[str, ...]] = ("rsi_14",)

    def evaluate(self, frame: FeatureFrame, params: DipParams) -> Proposals:
        stop = 0.98
        # A branch on a parameter is nothing that a column can take.
        if self.kind == "branches" and params.max_rsi > 45:
            stop = 0.97
        if self.kind == "looks at the first" and np.asarray(params.max_rsi).ravel()[0] > 45:
            stop = 0.97
        return conclude(
            frame,
            known=frame.known(self.required_features),
            gates=[(frame["rsi_14"] <= params.max_rsi, SkipReason.NO_SETUP)],
            strength=np.full(len(frame), 0.5),
            confirmations=np.zeros(len(frame), dtype=np.int64),
            plan=single_entry(stop=frame.close * stop, target=frame.close * 1.02),
            params=params,
        )


class DipOfItsOwn(Dip):
    """Has an indicator that depends on its parameters."""

    def indicators(self, bars: BarArrays, params: Any) -> Mapping[str, Floats]:
        return {"own": bars.close * params.max_rsi}


@pytest.mark.parametrize(
    ("rule", "alone", "apart"),
    [
        (Dip("plain"), False, ()),
        (Dip("branches"), True, ("max_rsi",)),
        (Dip("looks at the first"), True, ("max_rsi",)),
        (DipOfItsOwn("plain"), True, ()),
    ],
)
def test_a_rule_of_ones_own_is_asked_as_it_allows(rule: Dip, alone: bool, apart: tuple[str, ...]) -> None:
    frame = past("swing").frame
    params = [DipParams(max_hold_minutes=60 + number, max_rsi=35.0 + number) for number in range(20)]
    block = BlockRule(rule, params)
    found = block.evaluate(lambda _: frame)
    assert (block.one_by_one, block.apart) == (alone, apart)
    assert_same(found, one_by_one(rule, params, frame))


def test_words_among_the_parameters_do_no_harm() -> None:
    frame = past("swing").frame
    params = [
        DipParams(max_hold_minutes=60, max_rsi=35.0 + number, mode="ab"[number % 2]) for number in range(20)
    ]
    block = BlockRule(Dip("plain"), params)
    assert_same(block.evaluate(lambda _: frame), one_by_one(Dip("plain"), params, frame))
    assert not block.one_by_one


def test_no_row_is_no_signal() -> None:
    frame = past("swing").frame
    params = [each.params for each in some("swing", 3)]
    rule = BlockRule(RULES[Strategy("swing")], params)
    assert len(rule.evaluate(lambda _: frame.take(np.arange(0)))) == 0

"""The steps all rules share: scoring, gating, and laying out the trade."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le

from tracker.domain.errors import InputError
from tracker.domain.signal import SkipReason
from tracker.quant.bars import Bools, Floats, Ints, Objects
from tracker.quant.condition import (
    Condition,
    Judgement,
    Masked,
    Score,
    all_of,
    at_least,
    at_most,
    count_met,
    mean_of,
    ramp,
)
from tracker.quant.frame import FeatureFrame
from tracker.quant.regime import market_regime, volatility_tercile
from tracker.quant.strategies.base import Proposals

__all__ = [
    "Gate",
    "HoldParams",
    "Plan",
    "SharedParams",
    "conclude",
    "count_met",
    "mean_of",
    "ramp",
    "score_gates",
    "single_entry",
    "volatility_gate",
    "weigh",
]

SECONDS_PER_MINUTE = 60

# A condition with a reason, or no more than who meets it and the reason of the others.
Gate = Condition | tuple[Bools, SkipReason]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldParams:
    """What no strategy can do without: when a trade that goes nowhere is left."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "allow_inf_nan": False}

    max_hold_minutes: Annotated[int, Gt(0), Le(525_600)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedParams(HoldParams):
    """What the strategies of the fleet are asked for; units and reasons stand in configs/strategies/*.toml."""

    min_strength: Annotated[float, Ge(0), Le(1)]
    min_confirmations: Annotated[int, Ge(0), Le(5)]
    min_natr_pct: Annotated[float, Ge(0), Le(50)]
    max_natr_pct: Annotated[float, Gt(0), Le(100)]

    def __post_init__(self) -> None:
        """Refuse a volatility band that nothing can be inside of."""
        if self.min_natr_pct >= self.max_natr_pct:
            raise ValueError(
                f"min_natr_pct {self.min_natr_pct} must be below max_natr_pct {self.max_natr_pct}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The trade a rule would make in each of n rows, where it may; shapes and units as in Proposals.

    `break_even_distance` None: the stop is never raised to break even.
    """

    stop: Floats
    target: Floats
    ladder: Floats
    weights: Floats
    target_fraction: Floats
    trail_distance: Floats
    break_even_distance: Floats | None = None


def volatility_gate(natr: Floats, params: SharedParams) -> Condition:
    """Return the gate that holds back rows whose ATR (percent of price) lies outside the configured band."""
    return all_of(
        "natr_14",
        at_least("natr_14", natr, params.min_natr_pct, of="min_natr_pct"),
        at_most("natr_14", natr, params.max_natr_pct, of="max_natr_pct"),
        reason=SkipReason.VOLATILITY_OUT_OF_RANGE,
    )


def score_gates(strength: Floats, confirmations: Ints, params: SharedParams) -> list[Condition]:
    """Return the gates that hold back rows with too few confirmations or too little strength."""
    few, weak = SkipReason.TOO_FEW_CONFIRMATIONS, SkipReason.STRENGTH_TOO_LOW
    return [
        at_least("confirmations", confirmations, params.min_confirmations, few, of="min_confirmations"),
        at_least("strength", strength, params.min_strength, weak, of="min_strength"),
    ]


def single_entry(
    stop: Floats, target: Floats, trail_distance: Floats | None = None, break_even_distance: Floats | None = None
) -> Plan:
    """Return the plan of a trade that enters once and leaves at a price; the stop stays where it is unless told."""
    n = len(stop)
    return Plan(
        stop=stop,
        target=target,
        ladder=np.empty((n, 0)),
        weights=np.ones((n, 1)),
        target_fraction=np.full(n, np.nan),
        trail_distance=np.zeros(n) if trail_distance is None else trail_distance,
        break_even_distance=break_even_distance,
    )


def weigh(
    frame: FeatureFrame,
    *,
    required: Sequence[str],
    gates: Iterable[Gate],
    scores: Sequence[Score],
    confirmations: Sequence[Condition],
    plan: Plan,
    params: SharedParams,
) -> Proposals:
    """Return the proposals of a rule whose strength is the mean of its scores, and which counts what confirms it.

    After the rule's own gates come those for the count and for the strength.
    """
    strength = mean_of([each.points() for each in scores])
    met = count_met([each.holds() for each in confirmations])
    return conclude(
        frame,
        known=frame.known(required),
        gates=chain(gates, score_gates(strength, met, params)),
        strength=strength,
        confirmations=met,
        plan=plan,
        params=params,
        evidence=(*confirmations, *scores),
    )


def conclude(
    frame: FeatureFrame,
    *,
    known: Bools,
    gates: Iterable[Gate],
    strength: Floats,
    confirmations: Ints,
    plan: Plan,
    params: HoldParams,
    evidence: Sequence[Condition | Score] = (),
) -> Proposals:
    """Return the proposals: a row signals where every gate holds, else the first that does not says why.

    The last gate holds back a plan whose prices are not in order, which only happens where volatility is beyond what
    the distances were meant for. `evidence` is what strength and confirmations were made of, for whoever asks. Raises
    InputError on a gate without a reason.
    """
    asked = _asked(frame, known, gates, plan)
    if frame.witness is not None:
        asked = tuple(asked)
        frame.witness(
            Judgement(
                gates=asked,
                confirmations=tuple(each for each in evidence if not isinstance(each, Score)),
                scores=tuple(each for each in evidence if isinstance(each, Score)),
            )
        )
    is_signal, reason = _pass(asked, len(frame))
    expiry = frame.decided_at + params.max_hold_minutes * SECONDS_PER_MINUTE
    rows = is_signal[:, np.newaxis]
    break_even = np.zeros(len(frame)) if plan.break_even_distance is None else plan.break_even_distance
    return Proposals(
        is_signal=is_signal,
        reason=reason,
        entry=np.where(is_signal, frame.close, np.nan),
        stop=np.where(is_signal, plan.stop, np.nan),
        target=np.where(is_signal, plan.target, np.nan),
        strength=np.where(known, strength, np.nan),
        confirmations=np.where(known, confirmations, 0),
        expires_at=np.where(is_signal, expiry, 0),
        ladder=np.where(rows, plan.ladder, np.nan),
        size_weights=np.where(rows, plan.weights, np.nan),
        target_fraction=np.where(is_signal, plan.target_fraction, np.nan),
        trail_distance=np.where(is_signal, plan.trail_distance, np.nan),
        break_even_distance=np.where(is_signal, break_even, np.nan),
        regime=market_regime(frame),
        volatility=volatility_tercile(frame),
    )


def _asked(frame: FeatureFrame, known: Bools, gates: Iterable[Gate], plan: Plan) -> Iterator[Condition]:
    yield Masked(name="inputs known", mask=known, reason=SkipReason.WARMING_UP)
    for gate in gates:
        if isinstance(gate, tuple):
            yield Masked(name=gate[1].value, mask=gate[0], reason=gate[1])
        elif gate.reason is None:
            raise InputError(f"the gate {gate.name!r} has no reason for a look that does not pass it")
        else:
            yield gate
    ordered = _is_ordered(frame.close, plan)
    yield Masked(name="prices in order", mask=ordered, reason=SkipReason.VOLATILITY_OUT_OF_RANGE)


def _pass(gates: Iterable[Condition], n: int) -> tuple[Bools, Objects]:
    """Ask one gate after the other, none being kept, so that what it looked at can go."""
    reasons: list[SkipReason | None] = [None]
    is_signal = np.ones(n, dtype=np.bool_)
    code = np.zeros(n, dtype=np.uint8)
    for gate in gates:
        if gate.reason not in reasons:
            reasons.append(gate.reason)
        passed = is_signal & gate.holds()
        # Plain arithmetic on bytes: writing where a mask says so takes ten times as long.
        code += (is_signal ^ passed).view(np.uint8) * np.uint8(reasons.index(gate.reason))
        is_signal = passed
    return is_signal, np.array(reasons, dtype=object)[code]


def _is_ordered(entry: Floats, plan: Plan) -> Bools:
    steps = (entry, *plan.ladder.T, plan.stop)
    ordered = (plan.stop > 0) & (plan.target > entry) & np.isfinite(plan.target)
    for upper, lower in pairwise(steps):
        ordered &= upper > lower
    return ordered

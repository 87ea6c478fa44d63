"""The steps all rules share: scoring, gating, and laying out the trade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le

from tracker.domain.signal import SkipReason
from tracker.quant.bars import Bools, Floats, Ints, Objects
from tracker.quant.frame import FeatureFrame
from tracker.quant.regime import market_regime, volatility_tercile
from tracker.quant.strategies.base import Proposals

SECONDS_PER_MINUTE = 60

Gate = tuple[Bools, SkipReason]


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
    """The trade a rule would make in each of n rows, where it may; shapes and units as in Proposals."""

    stop: Floats
    target: Floats
    ladder: Floats
    weights: Floats
    target_fraction: Floats
    trail_distance: Floats


def ramp(values: Floats, worst: float, best: float) -> Floats:
    """Return 0 at `worst`, 1 at `best`, linear between and clipped outside (n,); `best` may be the lower."""
    return np.clip((values - worst) / (best - worst), 0.0, 1.0)


def mean_of(components: Sequence[Floats]) -> Floats:
    """Return the plain mean of score components, each (n,) in 0..1."""
    # Added one by one: NumPy's own sum may group the terms differently for another n.
    total = np.zeros(components[0].shape)
    for component in components:
        total = total + component
    return total / len(components)


def count_met(conditions: Sequence[Bools]) -> Ints:
    """Return how many of the conditions hold in each row, int64 (n,)."""
    total = np.zeros(conditions[0].shape, dtype=np.int64)
    for condition in conditions:
        total += condition
    return total


def volatility_gate(natr: Floats, params: SharedParams) -> Gate:
    """Return the gate that holds back rows whose ATR (percent of price) lies outside the configured band."""
    inside = (natr >= params.min_natr_pct) & (natr <= params.max_natr_pct)
    return inside, SkipReason.VOLATILITY_OUT_OF_RANGE


def score_gates(strength: Floats, confirmations: Ints, params: SharedParams) -> list[Gate]:
    """Return the gates that hold back rows with too few confirmations or too little strength."""
    return [
        (confirmations >= params.min_confirmations, SkipReason.TOO_FEW_CONFIRMATIONS),
        (strength >= params.min_strength, SkipReason.STRENGTH_TOO_LOW),
    ]


def single_entry(stop: Floats, target: Floats, trail_distance: Floats | None = None) -> Plan:
    """Return the plan of a trade that enters once and leaves at a price; without a trail unless given."""
    n = len(stop)
    return Plan(
        stop=stop,
        target=target,
        ladder=np.empty((n, 0)),
        weights=np.ones((n, 1)),
        target_fraction=np.full(n, np.nan),
        trail_distance=np.zeros(n) if trail_distance is None else trail_distance,
    )


def conclude(
    frame: FeatureFrame,
    *,
    known: Bools,
    gates: Sequence[Gate],
    strength: Floats,
    confirmations: Ints,
    plan: Plan,
    params: HoldParams,
) -> Proposals:
    """Return the proposals: a row signals where every gate holds, else the first that does not says why.

    The last gate holds back a plan whose prices are not in order, which only happens where volatility is beyond what
    the distances were meant for.
    """
    all_gates: list[Gate] = [
        (known, SkipReason.WARMING_UP),
        *gates,
        (_is_ordered(frame.close, plan), SkipReason.VOLATILITY_OUT_OF_RANGE),
    ]
    is_signal, reason = _pass(all_gates)
    expiry = frame.decided_at + params.max_hold_minutes * SECONDS_PER_MINUTE
    rows = is_signal[:, np.newaxis]
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
        regime=market_regime(frame),
        volatility=volatility_tercile(frame),
    )


def _pass(gates: Sequence[Gate]) -> tuple[Bools, Objects]:
    verdicts = np.array([None, *(reason for _, reason in gates)], dtype=object)
    code = np.zeros(gates[0][0].shape, dtype=np.int64)
    for number, (holds, _) in enumerate(gates, start=1):
        code[(code == 0) & ~holds] = number
    return code == 0, verdicts[code]


def _is_ordered(entry: Floats, plan: Plan) -> Bools:
    steps = (entry, *plan.ladder.T, plan.stop)
    ordered = (plan.stop > 0) & (plan.target > entry) & np.isfinite(plan.target)
    for upper, lower in pairwise(steps):
        ordered &= upper > lower
    return ordered

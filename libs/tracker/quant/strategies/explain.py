"""A rule's decision at a close, condition by condition, with the numbers that it was taken on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tracker.domain.signal import SkipReason
from tracker.quant.condition import (
    Compared,
    Condition,
    Joined,
    Judgement,
    Kind,
    Number,
    Relation,
    Score,
)
from tracker.quant.frame import FeatureFrame
from tracker.quant.strategies.base import Proposals, StrategyRule

# On which side of the limit the number belongs.
_SIDES = {
    Relation.AT_LEAST: 1.0,
    Relation.ABOVE: 1.0,
    Relation.NOT_BELOW: 1.0,
    Relation.AT_MOST: -1.0,
    Relation.BELOW: -1.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One condition at one close.

    `margin` is how far the number lies on the right side of the limit, below 0 how far off it is; `of` what the limit
    is called. A score is met where it has `points`, 0..1, its limit being what scores 1; others have none. What has
    `parts` has no number of its own, and neither has a condition that the rule gave without.
    """

    name: str
    kind: Kind
    holds: bool
    relation: str | None = None
    observed: float | None = None
    limit: float | None = None
    margin: float | None = None
    of: str = ""
    reason: SkipReason | None = None
    points: float | None = None
    parts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a rule made of n closes, and by what."""

    proposals: Proposals
    judgement: Judgement

    def facts(self, row: int) -> list[Fact]:
        """Return the conditions at one close: gates in the order in which they are asked, confirmations, scores."""
        found = [fact for gate in self.judgement.gates for fact in _gate(gate, row)]
        found += [_fact(each, Kind.CONFIRMATION, row) for each in self.judgement.confirmations]
        return found + [_score(each, row) for each in self.judgement.scores]


def explain(rule: StrategyRule[Any], frame: FeatureFrame, params: Any) -> Explanation:
    """Return what the rule makes of a frame and the very conditions it decides by.

    Where a rule does not use `conclude`, there are no conditions.
    """
    heard: list[Judgement] = []
    proposals = rule.evaluate(replace(frame, witness=heard.append), params)
    return Explanation(proposals=proposals, judgement=heard[-1] if heard else Judgement(gates=()))


def _gate(gate: Condition, row: int) -> Iterator[Fact]:
    """Yield a gate; one of which all parts must hold is as many gates."""
    if isinstance(gate, Joined) and gate.needs_all:
        for part in gate.parts:
            yield from _gate(replace(part, reason=gate.reason), row)
    else:
        yield _fact(gate, Kind.GATE, row)


def _fact(condition: Condition, kind: Kind, row: int) -> Fact:
    holds = bool(condition.holds()[row])
    if isinstance(condition, Joined):
        return Fact(
            name=condition.name,
            kind=kind,
            holds=holds,
            relation="all of" if condition.needs_all else "any of",
            reason=condition.reason,
            parts=tuple(_fact(part, kind, row) for part in condition.parts),
        )
    if not isinstance(condition, Compared):
        return Fact(name=condition.name, kind=kind, holds=holds, reason=condition.reason)
    observed, limit = float(condition.observed[row]), _at(condition.limit, row)
    return Fact(
        name=condition.name,
        kind=kind,
        holds=holds,
        relation=condition.relation.value,
        observed=observed,
        limit=limit,
        margin=_SIDES[condition.relation] * (observed - limit),
        of=condition.of,
        reason=condition.reason,
    )


def _score(score: Score, row: int) -> Fact:
    points = float(score.points()[row])
    return Fact(
        name=score.name,
        kind=Kind.SCORE,
        holds=points > 0.0,
        relation=f"0 at {_at(score.worst, row):g}, 1 at",
        observed=float(score.observed[row]),
        limit=_at(score.best, row),
        points=points,
    )


def _at(number: Number, row: int) -> float:
    return float(np.asarray(number).flat[row]) if np.ndim(number) else float(number)

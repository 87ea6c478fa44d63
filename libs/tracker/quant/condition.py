"""What a rule asks of a close, by name and number: what decides and what is told are the same objects.

A condition holds the columns it looks at and works out anew who meets it, so that keeping one costs next to nothing.
Limits are floats or arrays (n,), one a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from tracker.domain.signal import SkipReason
from tracker.quant.bars import Bools, Floats, Ints

Number: TypeAlias = float | Floats


class Relation(StrEnum):
    """How the observed number has to lie to the limit; `NOT_BELOW` holds where there is no number, too."""

    AT_LEAST = ">="
    AT_MOST = "<="
    ABOVE = ">"
    BELOW = "<"
    NOT_BELOW = "not <"


class Kind(StrEnum):
    """What a condition is for: a gate holds a look back, confirmations are counted, scores make the strength."""

    GATE = "gate"
    CONFIRMATION = "confirmation"
    SCORE = "score"


_HOLDS: Mapping[Relation, Callable[[Floats | Ints, Number], Bools]] = MappingProxyType(
    {
        Relation.AT_LEAST: np.greater_equal,
        Relation.AT_MOST: np.less_equal,
        Relation.ABOVE: np.greater,
        Relation.BELOW: np.less,
        Relation.NOT_BELOW: lambda observed, limit: ~np.less(observed, limit),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """A number beside its limit; `of` names the parameter or the feature that the limit is, where it is one.

    With a `reason` it is a gate, without one a confirmation or a part of another condition.
    """

    name: str
    observed: Floats | Ints
    relation: Relation
    limit: Number
    of: str = ""
    reason: SkipReason | None = None

    def holds(self) -> Bools:
        """Return the rows (n,) that meet it."""
        return _HOLDS[self.relation](self.observed, self.limit)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Joined:
    """Conditions of which all or any must hold."""

    name: str
    parts: tuple[Condition, ...]
    needs_all: bool
    reason: SkipReason | None = None

    def holds(self) -> Bools:
        """Return the rows (n,) that meet it."""
        first, *rest = self.parts
        met = first.holds()
        for part in rest:
            met = met & part.holds() if self.needs_all else met | part.holds()
        return met


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Masked:
    """A condition known only by who meets it, without numbers."""

    name: str
    mask: Bools
    reason: SkipReason | None = None

    def holds(self) -> Bools:
        """Return the rows (n,) that meet it."""
        return self.mask


Condition: TypeAlias = Compared | Joined | Masked


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Score:
    """A part of the strength: 0 where the observed number is at `worst`, 1 at `best`, linear between.

    `faded` says from which end it is counted, which only rounding tells.
    """

    name: str
    observed: Floats
    worst: Number
    best: Number
    faded: bool = False

    def points(self) -> Floats:
        """Return 0..1 for each row (n,)."""
        if self.faded:
            return 1.0 - ramp(self.observed, self.best, self.worst)
        return ramp(self.observed, self.worst, self.best)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """All that decided n looks: gates in the order in which they are asked, what confirmed, what scored."""

    gates: tuple[Condition, ...]
    confirmations: tuple[Condition, ...] = ()
    scores: tuple[Score, ...] = ()


def ramp(values: Floats, worst: Number, best: Number) -> Floats:
    """Return 0 at `worst`, 1 at `best`, linear between and clipped outside (n,); `best` may be the lower."""
    return np.clip((values - worst) / (best - worst), 0.0, 1.0)


def at_least(
    name: str, values: Floats | Ints, limit: Number, reason: SkipReason | None = None, *, of: str = ""
) -> Compared:
    """Return the condition that a number is `limit` or more."""
    return Compared(name=name, observed=values, relation=Relation.AT_LEAST, limit=limit, of=of, reason=reason)


def at_most(
    name: str, values: Floats | Ints, limit: Number, reason: SkipReason | None = None, *, of: str = ""
) -> Compared:
    """Return the condition that a number is `limit` or less."""
    return Compared(name=name, observed=values, relation=Relation.AT_MOST, limit=limit, of=of, reason=reason)


def above(
    name: str, values: Floats | Ints, limit: Number, reason: SkipReason | None = None, *, of: str = ""
) -> Compared:
    """Return the condition that a number is more than `limit`."""
    return Compared(name=name, observed=values, relation=Relation.ABOVE, limit=limit, of=of, reason=reason)


def below(
    name: str, values: Floats | Ints, limit: Number, reason: SkipReason | None = None, *, of: str = ""
) -> Compared:
    """Return the condition that a number is less than `limit`."""
    return Compared(name=name, observed=values, relation=Relation.BELOW, limit=limit, of=of, reason=reason)


def not_below(
    name: str, values: Floats | Ints, limit: Number, reason: SkipReason | None = None, *, of: str = ""
) -> Compared:
    """Return the condition that a number is not less than `limit`, which one that is not known (NaN) meets."""
    return Compared(name=name, observed=values, relation=Relation.NOT_BELOW, limit=limit, of=of, reason=reason)


def all_of(name: str, *parts: Condition, reason: SkipReason | None = None) -> Joined:
    """Return the condition that all parts hold."""
    return Joined(name=name, parts=parts, needs_all=True, reason=reason)


def any_of(name: str, *parts: Condition, reason: SkipReason | None = None) -> Joined:
    """Return the condition that at least one part holds."""
    return Joined(name=name, parts=parts, needs_all=False, reason=reason)


def rising(name: str, values: Floats, *, worst: Number, best: Number) -> Score:
    """Return the score that grows from `worst`, 0, to `best`, 1."""
    return Score(name=name, observed=values, worst=worst, best=best)


def fading(name: str, values: Floats, *, best: Number, worst: Number) -> Score:
    """Return the score that shrinks from `best`, 1, to `worst`, 0."""
    return Score(name=name, observed=values, worst=worst, best=best, faded=True)


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

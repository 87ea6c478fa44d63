"""A fault script: which faults strike at which exchange times, drawn at random from one seed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from services.market_simulator.faults import BadBar, FaultKind, FaultOrder
from services.market_simulator.paths import generator

HOUR = 3_600


class FaultCase(StrEnum):
    """What a script draws from: every kind of fault but a refused key, which only a person can heal."""

    DROP = "drop"
    SILENT_STALL = "silent_stall"
    MISSING_MINUTE = "missing_minute"
    DUPLICATE = "duplicate"
    DISORDER = "disorder"
    LATE = "late"
    BURST = "burst"
    CORRECT = "correct"
    MALFORMED_FRAME = "malformed_frame"
    MALFORMED_BAR = "malformed_bar"
    BAD_BAR = "bad_bar"
    EVICTED = "max_connections_evict"
    REFUSED = "max_connections_refuse"
    AUTH_TIMEOUT = "auth_timeout"
    LOST_SUBSCRIPTION = "lost_subscription"
    UNACKNOWLEDGED = "unacknowledged"
    RATE_LIMIT = "rate_limit"
    SERVER_ERROR = "server_error"
    EMPTY_BODY = "empty_body"
    SLOW_ANSWER = "slow_answer"
    NO_ANSWER = "no_answer"


class ScriptOrder(BaseModel):
    """How a script is ordered; it begins at the exchange's present time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(ge=0)
    hours: float = Field(default=2.0, gt=0, le=1_000)
    per_hour: float = Field(default=30.0, gt=0, le=600)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    """A fault that is ordered when the exchange's clock reaches `at` (epoch seconds).

    Several orders where one of them makes the occasion for the other.
    """

    at: int
    case: FaultCase
    orders: tuple[FaultOrder, ...]


@dataclass(slots=True)
class FaultScript:
    """A plan, and what of it is still to come."""

    plan: tuple[PlannedFault, ...]
    _ahead: deque[PlannedFault]

    def take_due(self, moment: int) -> PlannedFault | None:
        """Return the next fault if it falls due by `moment`; what could not be ordered in time comes one by one."""
        return self._ahead.popleft() if self._ahead and self._ahead[0].at <= moment else None

    @property
    def ahead(self) -> int:
        """How many faults are still to be ordered."""
        return len(self._ahead)


def fault_script(wanted: ScriptOrder, start: int, symbols: Sequence[str]) -> FaultScript:
    """Draw a script that begins at `start`; every case comes before any comes again."""
    random = generator(wanted.seed, "faults")
    cases: list[FaultCase] = []
    while len(cases) < round(wanted.hours * wanted.per_hour):
        cases += random.permutation(list(FaultCase)).tolist()
    cases = cases[: round(wanted.hours * wanted.per_hour)]
    moments = sorted(start + random.integers(60, round(wanted.hours * HOUR), len(cases)))
    plan = tuple(
        PlannedFault(at=int(moment), case=FaultCase(case), orders=_orders(FaultCase(case), random, symbols))
        for moment, case in zip(moments, cases, strict=True)
    )
    return FaultScript(plan, deque(plan))


def _orders(case: FaultCase, random: np.random.Generator, symbols: Sequence[str]) -> tuple[FaultOrder, ...]:
    kind, draw = _CASES[case]
    order = FaultOrder(kind=kind, **draw(_Draws(random, symbols)))
    # What happens to a newcomer needs one.
    return (order, FaultOrder(kind=FaultKind.DROP)) if case in _AT_CONNECTING else (order,)


@dataclass(frozen=True, slots=True)
class _Draws:
    random: np.random.Generator
    symbols: Sequence[str]

    def some(self, most: int) -> tuple[str, ...]:
        """Return one to `most` different symbols."""
        count = self.count(1, min(most, len(self.symbols)))
        return tuple(self.random.choice(list(self.symbols), count, replace=False).tolist())

    def count(self, least: int, most: int) -> int:
        """Return a whole number."""
        return int(self.random.integers(least, most + 1))


_AT_CONNECTING = (FaultCase.REFUSED, FaultCase.AUTH_TIMEOUT, FaultCase.UNACKNOWLEDGED)
_CASES: dict[FaultCase, tuple[FaultKind, Callable[[_Draws], dict[str, Any]]]] = {
    FaultCase.DROP: (FaultKind.DROP, lambda draws: {}),
    FaultCase.SILENT_STALL: (FaultKind.STALL, lambda draws: {"count": draws.count(1, 6)}),
    FaultCase.MISSING_MINUTE: (
        FaultKind.STALL, lambda draws: {"count": draws.count(1, 3), "symbols": draws.some(5)}
    ),
    FaultCase.DUPLICATE: (FaultKind.DUPLICATE, lambda draws: {"count": draws.count(1, 4)}),
    FaultCase.DISORDER: (FaultKind.DISORDER, lambda draws: {"count": draws.count(1, 3)}),
    FaultCase.LATE: (
        FaultKind.LATE,
        lambda draws: {"count": draws.count(1, 3), "minutes": draws.count(1, 5), "symbols": draws.some(10)},
    ),
    FaultCase.BURST: (FaultKind.BURST, lambda draws: {"count": draws.count(2, 4)}),
    FaultCase.CORRECT: (FaultKind.CORRECT, lambda draws: {"count": draws.count(3, 7), "symbols": draws.some(4)}),
    # Two strokes: the first cuts the frame's text, the second spoils one bar's types.
    FaultCase.MALFORMED_FRAME: (FaultKind.MALFORMED, lambda draws: {"count": 2}),
    FaultCase.MALFORMED_BAR: (FaultKind.MALFORMED, lambda draws: {"symbols": draws.some(4)}),
    FaultCase.BAD_BAR: (
        FaultKind.BAD_BAR,
        lambda draws: {
            "count": draws.count(1, 2), "symbols": draws.some(4), "bad": list(BadBar)[draws.count(0, len(BadBar) - 1)],
        },
    ),
    FaultCase.EVICTED: (FaultKind.EVICT, lambda draws: {}),
    FaultCase.REFUSED: (FaultKind.REFUSE, lambda draws: {}),
    FaultCase.AUTH_TIMEOUT: (FaultKind.AUTH_TIMEOUT, lambda draws: {"count": draws.count(1, 2)}),
    FaultCase.LOST_SUBSCRIPTION: (FaultKind.LOST_SUBSCRIPTION, lambda draws: {"symbols": draws.some(3)}),
    FaultCase.UNACKNOWLEDGED: (FaultKind.UNACKNOWLEDGED, lambda draws: {"symbols": draws.some(3)}),
    FaultCase.RATE_LIMIT: (FaultKind.RATE_LIMIT, lambda draws: {"count": draws.count(1, 12)}),
    FaultCase.SERVER_ERROR: (FaultKind.SERVER_ERROR, lambda draws: {"count": draws.count(1, 12)}),
    FaultCase.EMPTY_BODY: (FaultKind.EMPTY_BODY, lambda draws: {"count": draws.count(1, 4)}),
    FaultCase.SLOW_ANSWER: (FaultKind.SLOW_ANSWER, lambda draws: {"count": draws.count(1, 3), "delay_seconds": 0.5}),
    FaultCase.NO_ANSWER: (FaultKind.NO_ANSWER, lambda draws: {}),
}

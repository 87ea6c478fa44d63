"""Faults on demand: which are ordered, which are under way, how often and when each has struck."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from tracker.domain.clock import Clock

from services.market_simulator.wire import Message

# A stroke is some hundred bytes, with its bars a few thousand.
_LONGEST_LOG = 20_000


class FaultKind(StrEnum):
    """What can go wrong at an exchange; docs/market_simulator.md says what each does."""

    DROP = "drop"
    STALL = "stall"
    DUPLICATE = "duplicate"
    DISORDER = "disorder"
    LATE = "late"
    BURST = "burst"
    CORRECT = "correct"
    MALFORMED = "malformed"
    BAD_BAR = "bad_bar"
    EVICT = "max_connections_evict"
    REFUSE = "max_connections_refuse"
    AUTH_FAILURE = "auth_failure"
    AUTH_TIMEOUT = "auth_timeout"
    LOST_SUBSCRIPTION = "lost_subscription"
    UNACKNOWLEDGED = "unacknowledged"
    RATE_LIMIT = "rate_limit"
    SERVER_ERROR = "server_error"
    EMPTY_BODY = "empty_body"
    SLOW_ANSWER = "slow_answer"
    NO_ANSWER = "no_answer"


class BadBar(StrEnum):
    """In which way a bad bar is bad."""

    HIGH_BELOW_LOW = "high_below_low"
    NEGATIVE_PRICE = "negative_price"
    NEGATIVE_VOLUME = "negative_volume"
    JUMP = "jump"
    FUTURE = "future"
    MISALIGNED = "misaligned"


class FaultOrder(BaseModel):
    """A fault as ordered: so many times, or for so long (wall seconds); once where neither is said.

    `symbols` limits faults of the stream to these; none means all. `minutes` is how late late bars come,
    `delay_seconds` how long a slow answer takes, `bad` what is wrong with bad bars (else each in turn).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    count: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    symbols: tuple[str, ...] = ()
    minutes: int = Field(default=2, ge=1)
    delay_seconds: float = Field(default=1.0, gt=0, le=600)
    bad: BadBar | None = None


@dataclass(slots=True)
class Fault:
    """An ordered fault; `remaining` is None where only time ends it, `until` is on the monotonic clock."""

    number: int
    order: FaultOrder
    remaining: int | None
    until: float | None
    done: int = 0

    def live(self, now: float) -> bool:
        """Return whether it may still strike."""
        return (self.remaining is None or self.remaining > 0) and (self.until is None or now < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """A fault that struck: at which exchange time (epoch seconds), by which order, and the bars it sent."""

    fault: int
    kind: FaultKind
    at: float | None
    symbols: tuple[str, ...]
    bars: list[Message]


@dataclass(slots=True)
class FaultLedger:
    """All faults ordered since the start or the last clearing."""

    clock: Clock
    exchange_now: Callable[[], float | None]
    strokes: deque[Stroke] = field(default_factory=lambda: deque[Stroke](maxlen=_LONGEST_LOG))
    done: Counter[FaultKind] = field(default_factory=Counter[FaultKind])
    _faults: list[Fault] = field(default_factory=list[Fault])
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def add(self, order: FaultOrder) -> Fault:
        """Take an order."""
        until = None if order.seconds is None else self.clock.monotonic() + order.seconds
        count = 1 if order.count is None and order.seconds is None else order.count
        fault = Fault(number=next(self._numbers), order=order, remaining=count, until=until)
        self._faults.append(fault)
        return fault

    def pending(self, kind: FaultKind) -> Fault | None:
        """Return the oldest fault of that kind that may strike now, without using it up."""
        now = self.clock.monotonic()
        self._faults = [each for each in self._faults if each.live(now)]
        return next((each for each in self._faults if each.order.kind is kind), None)

    def strike(self, kind: FaultKind) -> Fault | None:
        """Use up one stroke of the oldest fault of that kind and return it, None where there is none."""
        fault = self.pending(kind)
        if fault is None:
            return None
        fault.done += 1
        self.done[kind] += 1
        if fault.remaining is not None:
            fault.remaining -= 1
        self.strokes.append(
            Stroke(fault=fault.number, kind=kind, at=self.exchange_now(), symbols=fault.order.symbols, bars=[])
        )
        return fault

    def note_bars(self, bars: Iterable[Message]) -> None:
        """Add to the last stroke which bars it sent."""
        self.strokes[-1].bars.extend(bars)

    def clear(self, kind: FaultKind | None = None) -> None:
        """Call off what has not struck yet, of one kind or of all."""
        self._faults = [] if kind is None else [each for each in self._faults if each.order.kind is not kind]

    def report(self) -> dict[str, Any]:
        """Return the faults under way and the strokes done by kind."""
        now = self.clock.monotonic()
        active = [
            {
                "id": each.number, "kind": each.order.kind, "symbols": each.order.symbols, "done": each.done,
                "remaining": each.remaining,
                "seconds_left": None if each.until is None else round(each.until - now, 3),
            }
            for each in self._faults if each.live(now)
        ]
        return {"active": active, "done": dict(self.done)}

"""Back-off between failed attempts, and a circuit breaker that gives what keeps failing a rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field
from tenacity import RetryCallState
from tenacity.wait import wait_random_exponential

from tracker.domain.clock import Clock


class Policy(BaseModel):
    """How something that can fail is tried again: jittered exponential waits in seconds, and when it is left alone.

    After `failures` in a row the circuit opens, and one attempt goes through after `cool_down_seconds`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    initial_seconds: float = Field(default=0.5, gt=0)
    longest_seconds: float = Field(default=30.0, gt=0)
    attempts: int | None = Field(default=None, ge=1, description="attempts of one request; None: without end")
    failures: int = Field(default=8, ge=1)
    cool_down_seconds: float = Field(default=30.0, gt=0)


@dataclass(slots=True)
class Backoff:
    """Jittered exponential waits in seconds; `reset` after the first success."""

    initial: float = 0.5
    longest: float = 30.0
    attempts: int = 0
    _wait: wait_random_exponential = field(init=False)

    def __post_init__(self) -> None:
        """Build tenacity's full-jitter exponential policy."""
        self._wait = wait_random_exponential(multiplier=self.initial, max=self.longest)

    def next_wait(self) -> float:
        """Count a failure and return how long to wait, at least half the initial wait."""
        self.attempts += 1
        state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
        state.attempt_number = self.attempts
        return max(self.initial / 2, self._wait(state))

    def reset(self) -> None:
        """Forget the failures."""
        self.attempts = 0


class Circuit(StrEnum):
    """State of a circuit breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(slots=True)
class CircuitBreaker:
    """Opens after `threshold` failures in a row, lets one attempt through after `cool_down` seconds."""

    clock: Clock
    threshold: int = 5
    cool_down: float = 30.0
    failures: int = 0
    opened_at: float | None = None
    _probe_ends: float = 0.0

    @property
    def state(self) -> Circuit:
        """Closed (go on), open (do not try) or half open (try once)."""
        if self.opened_at is None:
            return Circuit.CLOSED
        waited = self.clock.monotonic() - self.opened_at
        return Circuit.HALF_OPEN if waited >= self.cool_down else Circuit.OPEN

    @property
    def seconds_to_probe(self) -> float:
        """How long until an attempt may go through again, 0 where one may now."""
        if self.opened_at is None:
            return 0.0
        return max(0.0, self.opened_at + self.cool_down - self.clock.monotonic())

    def admits(self) -> bool:
        """Tell whether to try now; half open, only one may until it has succeeded or failed, or was not heard of."""
        if self.state is Circuit.CLOSED:
            return True
        now = self.clock.monotonic()
        if self.state is Circuit.OPEN or now < self._probe_ends:
            return False
        self._probe_ends = now + self.cool_down
        return True

    def succeeded(self) -> None:
        """Close the circuit."""
        self.failures = 0
        self.opened_at = None
        self._probe_ends = 0.0

    def failed(self) -> None:
        """Count a failure and open the circuit where there are too many."""
        self.failures += 1
        self._probe_ends = 0.0
        if self.failures >= self.threshold:
            self.opened_at = self.clock.monotonic()

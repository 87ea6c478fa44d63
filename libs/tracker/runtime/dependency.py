"""Something outside that can fail: how often it did, when to try again, and when to leave it alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, stop_never
from tenacity.wait import wait_random_exponential

from tracker.domain.clock import Clock
from tracker.domain.errors import CircuitOpenError
from tracker.runtime.retry import Backoff, Circuit, CircuitBreaker, Policy

ATTEMPTS = Counter("tracker_dependency_attempts_total", "Attempts at what can fail", ["dependency", "outcome"])
WAITS = Histogram(
    "tracker_dependency_wait_seconds",
    "Waits between attempts",
    ["dependency"],
    buckets=(0.25, 0.5, 1, 2, 5, 10, 30, 60),
)
BREAKER = Gauge("tracker_dependency_breaker_state", "0 closed, 1 half open, 2 open", ["dependency"])
FAILURES = Gauge("tracker_dependency_consecutive_failures", "Failures since the last success", ["dependency"])
_NUMBERS = {Circuit.CLOSED: 0, Circuit.HALF_OPEN: 1, Circuit.OPEN: 2}
# How often those who wait look whether the one attempt that went through has succeeded.
LOOK_SECONDS = 0.05


class Dependency:
    """One outside thing under one policy; `name` is its label in /metrics."""

    def __init__(self, name: str, policy: Policy, clock: Clock) -> None:
        """Begin well."""
        self.name = name
        self._policy = policy
        self._clock = clock
        self._backoff = Backoff(initial=policy.initial_seconds, longest=policy.longest_seconds)
        self._breaker = CircuitBreaker(clock, threshold=policy.failures, cool_down=policy.cool_down_seconds)
        FAILURES.labels(name).set_function(lambda: self._breaker.failures)
        BREAKER.labels(name).set_function(lambda: _NUMBERS[self._breaker.state])

    @property
    def state(self) -> Circuit:
        """The circuit's state."""
        return self._breaker.state

    @property
    def failures(self) -> int:
        """Failures since the last success."""
        return self._breaker.failures

    def succeeded(self) -> None:
        """Start over: the circuit closes, and the next wait is a short one."""
        ATTEMPTS.labels(self.name, "ok").inc()
        self._backoff.reset()
        self._breaker.succeeded()

    def failed(self, outcome: str) -> None:
        """Count a failure; too many in a row open the circuit."""
        ATTEMPTS.labels(self.name, outcome).inc()
        self._breaker.failed()

    def next_wait(self) -> float:
        """Return how many seconds to wait after a failure: the rest of an open circuit, else the back-off."""
        wait = max(self._backoff.next_wait(), self._breaker.seconds_to_probe)
        WAITS.labels(self.name).observe(wait)
        return wait

    def check(self, subject: str) -> None:
        """Raise CircuitOpenError while the circuit is open; `subject` is what it calls the thing."""
        if self.state is Circuit.OPEN:
            raise self._refusal(subject)

    async def admitted(self, subject: str, patience: float) -> None:
        """Return when an attempt may be made.

        Raises CircuitOpenError where that is in more than `patience` seconds.
        """
        deadline = self._clock.monotonic() + patience
        while not self._breaker.admits():
            rest = max(self._breaker.seconds_to_probe, LOOK_SECONDS)
            if self._clock.monotonic() + rest > deadline:
                raise self._refusal(subject)
            await asyncio.sleep(rest)

    def retrying(self, worth_another: Callable[[BaseException], bool]) -> AsyncRetrying:
        """Return tenacity's retrying of one request; a refusal by the open circuit is never retried."""
        attempts = self._policy.attempts
        return AsyncRetrying(
            retry=retry_if_exception(lambda error: worth_another(error) and not isinstance(error, CircuitOpenError)),
            stop=stop_never if attempts is None else stop_after_attempt(attempts),
            wait=wait_random_exponential(multiplier=self._policy.initial_seconds, max=self._policy.longest_seconds),
            reraise=True,
            before_sleep=self._note_retry,
        )

    def _refusal(self, subject: str) -> CircuitOpenError:
        return CircuitOpenError(
            f"{subject} has failed {self.failures} times in a row and is left alone:"
            f" it is tried again in {self._breaker.seconds_to_probe:.1f} s"
        )

    def _note_retry(self, state: RetryCallState) -> None:
        ATTEMPTS.labels(self.name, "retried").inc()
        if state.next_action is not None:
            WAITS.labels(self.name).observe(state.next_action.sleep)

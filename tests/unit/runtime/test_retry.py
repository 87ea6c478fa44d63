"""Back-off and circuit breaker."""

from __future__ import annotations

from tracker.runtime.retry import Backoff, Circuit, CircuitBreaker
from tracker.testing.builders import START
from tracker.testing.clock import FixedClock


def test_waits_grow_up_to_the_limit_and_start_over_after_a_success() -> None:
    backoff = Backoff(initial=1.0, longest=8.0)
    waits = [backoff.next_wait() for _ in range(30)]
    assert all(0.5 <= wait <= 8.0 for wait in waits)
    assert max(waits[10:]) > 2.0
    backoff.reset()
    assert backoff.next_wait() <= 1.0


def test_the_circuit_opens_after_failures_in_a_row_and_lets_one_through_later() -> None:
    clock = FixedClock(START)
    breaker = CircuitBreaker(clock, threshold=2, cool_down=30.0)
    breaker.failed()
    assert breaker.state is Circuit.CLOSED
    breaker.failed()
    assert breaker.state is Circuit.OPEN
    clock.advance(30)
    assert breaker.state is Circuit.HALF_OPEN
    breaker.failed()
    assert breaker.state is Circuit.OPEN
    breaker.succeeded()
    assert breaker.state is Circuit.CLOSED

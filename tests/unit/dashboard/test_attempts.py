"""Guessing passwords takes ever longer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some
from tracker.testing.builders import START
from tracker.testing.clock import FixedClock

from services.dashboard.access.attempts import (
    FORGOTTEN_SECONDS,
    FREE,
    FREE_FOR_ALL,
    LONGEST_FOR_ALL_SECONDS,
    LONGEST_SECONDS,
    MOST_ADDRESSES,
    Attempts,
)


def failing(attempts: Attempts, address: str, times: int) -> None:
    for _ in range(times):
        attempts.begin(address)


@pytest.mark.parametrize(("failures", "wait"), [
    (0, 0), (FREE - 1, 0), (FREE, 2), (FREE + 1, 4), (FREE + 3, 16), (FREE + 20, LONGEST_SECONDS),
])
def test_each_failure_of_an_address_doubles_its_wait(failures: int, wait: float) -> None:
    attempts = Attempts(FixedClock(START))
    failing(attempts, "10.0.0.1", failures)
    assert attempts.wait_seconds("10.0.0.1") == wait
    assert attempts.wait_seconds("10.0.0.2") == 0


def test_the_wait_goes_by_and_success_ends_it() -> None:
    clock = FixedClock(START)
    attempts = Attempts(clock)
    failing(attempts, "a", FREE + 1)
    clock.advance(3)
    assert attempts.wait_seconds("a") == 1
    attempts.succeeded("a")
    assert attempts.wait_seconds("a") == 0


def test_failures_are_forgotten_after_a_quiet_while() -> None:
    clock = FixedClock(START)
    attempts = Attempts(clock)
    failing(attempts, "a", FREE + 5)
    clock.advance(FORGOTTEN_SECONDS + 1)
    attempts.begin("a")
    assert attempts.wait_seconds("a") == 0


def test_many_addresses_together_slow_everybody_down_but_never_for_long() -> None:
    clock = FixedClock(START)
    attempts = Attempts(clock)
    for number in range(FREE_FOR_ALL + 40):
        attempts.begin(f"10.0.{number}.1")
    assert attempts.wait_seconds("192.0.2.1") == LONGEST_FOR_ALL_SECONDS
    clock.advance(LONGEST_FOR_ALL_SECONDS)
    assert attempts.wait_seconds("192.0.2.1") == 0


@given(some.lists(some.integers(0, 3 * MOST_ADDRESSES), max_size=50), some.integers(1, 200))
def test_memory_is_bounded_whoever_comes(addresses: list[int], step: int) -> None:
    attempts = Attempts(FixedClock(START))
    for number in (*range(0, MOST_ADDRESSES + 50, step), *addresses):
        attempts.begin(str(number))
    assert len(attempts._by_address) <= MOST_ADDRESSES

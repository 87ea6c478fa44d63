"""What is outside and fails: waits, the circuit, and what /metrics says of it."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import REGISTRY
from tracker.domain.clock import SystemClock
from tracker.domain.errors import CircuitOpenError, FeedError
from tracker.runtime.dependency import Dependency
from tracker.runtime.retry import Circuit, Policy
from tracker.testing.builders import START
from tracker.testing.clock import FixedClock

FAST = Policy(initial_seconds=0.01, longest_seconds=0.01, attempts=3, failures=2, cool_down_seconds=0.2)


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_waits_are_the_back_off_until_the_circuit_opens_and_then_its_rest() -> None:
    policy = Policy(initial_seconds=0.5, longest_seconds=4, failures=3, cool_down_seconds=30)
    vendor = Dependency("waits", policy, FixedClock(START))
    waits: list[float] = []
    for _ in range(3):
        vendor.failed("gone")
        waits.append(vendor.next_wait())
    assert max(waits[:2]) <= 4
    assert waits[2] == 30
    vendor.succeeded()
    vendor.failed("gone")
    assert vendor.next_wait() <= 0.5


def test_an_open_circuit_refuses_in_one_sentence_and_then_lets_one_through() -> None:
    clock = FixedClock(START)
    vendor = Dependency("refusal", Policy(failures=2, cool_down_seconds=30), clock)
    for _ in range(2):
        vendor.check("http://vendor")
        vendor.failed("500")
    with pytest.raises(CircuitOpenError, match=r"http://vendor has failed 2 times in a row .* again in 30\.0 s"):
        vendor.check("http://vendor")
    clock.advance(30)
    assert vendor.state is Circuit.HALF_OPEN
    vendor.check("http://vendor")


async def test_half_open_one_goes_first_and_the_others_wait_for_what_it_finds() -> None:
    vendor = Dependency("probe", FAST, SystemClock())
    for _ in range(2):
        vendor.failed("500")
    order: list[str] = []

    async def ask(name: str) -> None:
        await vendor.admitted("it", 5)
        order.append(f"{name} asks")
        await asyncio.sleep(0.05)
        order.append(f"{name} heard")
        vendor.succeeded()

    await asyncio.gather(ask("first"), ask("second"))
    one, other = ("first", "second") if order[0] == "first asks" else ("second", "first")
    assert order == [f"{one} asks", f"{one} heard", f"{other} asks", f"{other} heard"]
    assert vendor.state is Circuit.CLOSED


async def test_a_probe_of_which_nothing_is_heard_does_not_block_for_ever() -> None:
    vendor = Dependency("lost probe", FAST, SystemClock())
    for _ in range(2):
        vendor.failed("500")
    await vendor.admitted("it", 5)
    with pytest.raises(CircuitOpenError):
        await vendor.admitted("it", 0)
    await vendor.admitted("it", 5)


async def test_a_request_is_repeated_as_often_as_its_policy_says_and_a_refusal_never() -> None:
    vendor = Dependency("requests", FAST, SystemClock())
    asked: list[FeedError] = []

    async def request(error: type[FeedError]) -> None:
        asked.append(error())
        raise asked[-1]

    for error, times in ((FeedError, 3), (CircuitOpenError, 1)):
        asked.clear()
        with pytest.raises(error):
            await vendor.retrying(lambda caught: isinstance(caught, FeedError))(request, error)
        assert len(asked) == times


def test_metrics_tell_attempts_waits_failures_and_the_circuit() -> None:
    clock = FixedClock(START)
    vendor = Dependency("told", Policy(failures=2, cool_down_seconds=30), clock)
    states: list[float] = []

    def note() -> None:
        states.append(metric("tracker_dependency_breaker_state", dependency="told"))

    note()
    for _ in range(2):
        vendor.failed("500")
        vendor.next_wait()
    note()
    assert metric("tracker_dependency_consecutive_failures", dependency="told") == 2
    clock.advance(30)
    note()
    vendor.succeeded()
    note()
    assert states == [0, 2, 1, 0]
    assert metric("tracker_dependency_consecutive_failures", dependency="told") == 0
    assert metric("tracker_dependency_attempts_total", dependency="told", outcome="500") == 2
    assert metric("tracker_dependency_attempts_total", dependency="told", outcome="ok") == 1
    assert metric("tracker_dependency_wait_seconds_count", dependency="told") == 2

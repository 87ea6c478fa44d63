"""The loop of a service, without a database, and the socket of its endpoints."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from tracker.domain.errors import DatabaseFullError, DatabaseUnavailableError, FeedError, InputError, PortInUseError
from tracker.runtime.dependency import Dependency
from tracker.runtime.health import health_app, listening_socket, serving
from tracker.runtime.logging import Logger, get_logger
from tracker.runtime.pulse import Pulse
from tracker.runtime.retry import Circuit, Policy
from tracker.runtime.service import run_loop
from tracker.testing.clock import FixedClock

NOW = datetime(2024, 3, 1, tzinfo=UTC)


class Scripted:
    """A service whose runs end as told: True for more work, False for none, an error to raise."""

    name = "scripted"
    channels = ()

    def __init__(self, pulse: Pulse, stop: asyncio.Event, outcomes: Sequence[bool | Exception]) -> None:
        self.pulse = pulse
        self.stop = stop
        self.outcomes = list(outcomes)
        self.states: list[str] = []

    async def run_once(self) -> bool:
        self.states.append(self.pulse.status)
        outcome = self.outcomes.pop(0)
        if not self.outcomes:
            self.stop.set()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def detail(self) -> dict[str, Any]:
        return {}


async def loop(outcomes: Sequence[bool | Exception], poll: float = 0.01, *, hinted: bool = False) -> Scripted:
    pulse, stop, hint = Pulse(service="scripted", started_at=NOW), asyncio.Event(), asyncio.Event()
    service = Scripted(pulse, stop, outcomes)
    running = asyncio.create_task(run_loop(service, poll, FixedClock(NOW), pulse, stop, hint, get_logger("test")))
    if hinted:
        await asyncio.sleep(0.01)
        hint.set()
    async with asyncio.timeout(5):
        await running
    return service


async def test_it_runs_again_at_once_while_there_is_more() -> None:
    service = await loop([True, True, True], poll=60)
    assert service.states == ["warn", "pass", "pass"]


async def test_a_hint_ends_the_wait() -> None:
    assert (await loop([False, True], poll=60, hinted=True)).outcomes == []


async def test_a_retryable_error_is_repeated_after_a_while() -> None:
    before = asyncio.get_running_loop().time()
    service = await loop([True, DatabaseUnavailableError(), True, True])
    assert service.states == ["warn", "pass", "fail", "pass"]
    assert asyncio.get_running_loop().time() - before >= 0.25
    assert service.pulse.last_error is None


async def test_any_other_error_ends_the_loop() -> None:
    with pytest.raises(InputError):
        await loop([True, InputError("no"), True])
    with pytest.raises(ZeroDivisionError):
        await loop([ZeroDivisionError(), True])


async def test_stop_ends_a_wait_between_attempts() -> None:
    service = await loop([DatabaseUnavailableError()])
    assert service.pulse.status == "fail"


async def test_a_database_that_keeps_failing_is_only_probed_and_an_alert_is_told_once() -> None:
    told: list[tuple[str, str]] = []

    class Log:
        def warning(self, _: str, **facts: Any) -> None:
            told.append(("warning", facts["kind"]))

        def error(self, _: str, **facts: Any) -> None:
            told.append(("error", facts["kind"]))

    clock = FixedClock(NOW)
    policy = Policy(initial_seconds=0.01, longest_seconds=0.01, failures=2, cool_down_seconds=0.3)
    database = Dependency("probed", policy, clock)
    pulse, stop, hint = Pulse(service="scripted", started_at=NOW), asyncio.Event(), asyncio.Event()
    service = Scripted(pulse, stop, [DatabaseFullError("full"), DatabaseFullError("full"), False])
    before = asyncio.get_running_loop().time()
    await run_loop(service, 0.01, clock, pulse, stop, hint, cast("Logger", Log()), database)
    assert asyncio.get_running_loop().time() - before >= 0.3
    assert told == [("error", "DatabaseFullError"), ("warning", "DatabaseFullError")]
    assert (database.failures, pulse.last_error) == (0, None)


async def test_another_failure_than_the_databases_does_not_open_its_circuit() -> None:
    clock = FixedClock(NOW)
    database = Dependency("not to blame", Policy(failures=1), clock)
    pulse, stop, hint = Pulse(service="scripted", started_at=NOW), asyncio.Event(), asyncio.Event()
    service = Scripted(pulse, stop, [FeedError("the vendor"), False])
    await run_loop(service, 0.01, clock, pulse, stop, hint, get_logger("test"), database)
    assert database.state is Circuit.CLOSED


def test_a_port_belongs_to_one_service() -> None:
    with listening_socket("first", "127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"second: port {port} on 127\.0\.0\.1 cannot be used"):
            listening_socket("second", "127.0.0.1", port)


async def test_small_answers_are_not_held_back() -> None:
    accepted: list[int] = []

    async def ready() -> None:
        for transport in asyncio.get_running_loop()._transports.values():  # type: ignore[attr-defined]
            peer = transport.get_extra_info("socket")
            accepted.append(peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    async def report() -> dict[str, Any]:
        return {"status": "pass"}

    async with serving(health_app("tiny", ready, report), "tiny", "127.0.0.1", 0) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: here\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.close()
    assert accepted
    assert all(accepted)


class Endless(Scripted):
    """A service whose run never ends by itself."""

    interruptible = True

    async def run_once(self) -> bool:
        self.stop.set()
        await asyncio.Event().wait()
        raise AssertionError


async def test_an_interruptible_run_is_not_waited_for_once_told_to_stop() -> None:
    pulse, stop = Pulse(service="scripted", started_at=NOW), asyncio.Event()
    service = Endless(pulse, stop, [])
    async with asyncio.timeout(5):
        await run_loop(service, 60, FixedClock(NOW), pulse, stop, asyncio.Event(), get_logger("test"))
    assert pulse.status == "pass"


async def test_an_interruptible_run_that_fails_is_repeated() -> None:
    pulse, stop = Pulse(service="scripted", started_at=NOW), asyncio.Event()
    service = Scripted(pulse, stop, [DatabaseUnavailableError("gone"), True])
    service.interruptible = True  # type: ignore[attr-defined]
    async with asyncio.timeout(5):
        await run_loop(service, 60, FixedClock(NOW), pulse, stop, asyncio.Event(), get_logger("test"))
    assert service.states == ["warn", "fail"]

"""The loop of every service: run once, wait for a hint or the poll, back off on failure, drain on SIGTERM."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import Protocol, TypeVar, runtime_checkable

from prometheus_client import Counter, Gauge, Histogram
from starlette.applications import Starlette

from tracker.domain.clock import Clock, SystemClock
from tracker.domain.errors import ConfigError, DatabaseUnavailableError, TrackerError
from tracker.runtime.dependency import Dependency
from tracker.runtime.health import health_app, serving
from tracker.runtime.logging import Logger, configure_logging
from tracker.runtime.process_load import ProcessLoad
from tracker.runtime.pulse import Pulse, Telling, beat
from tracker.runtime.retry import Backoff, Policy
from tracker.runtime.settings import ServiceSettings, load_settings
from tracker.store.database import Database

S = TypeVar("S", bound=ServiceSettings)

RUNS = Counter("tracker_runs_total", "Runs of the service loop", ["service", "outcome"])
RUN_SECONDS = Histogram("tracker_run_seconds", "Duration of one run of the service loop", ["service"])
LAST_SUCCESS = Gauge("tracker_last_success_timestamp_seconds", "When a run last succeeded", ["service"])


class Service(Telling, Protocol):
    """One process' work."""

    @property
    def channels(self) -> tuple[str, ...]:
        """NOTIFY channels that hint at new work."""
        ...

    async def run_once(self) -> bool:
        """Do one unit of work in one transaction; return whether there may be more at once."""
        ...


@runtime_checkable
class BackgroundService(Service, Protocol):
    """A service with an outside world to talk to besides its loop."""

    async def background(self, wake: asyncio.Event) -> None:
        """Talk to the outside world until cancelled; set `wake` to have the loop run at once."""
        ...


@runtime_checkable
class InterruptibleService(Service, Protocol):
    """A service whose run may be cancelled at any of its awaits: what it committed is enough to go on from."""

    @property
    def interruptible(self) -> bool:
        """True."""
        ...


@runtime_checkable
class WebService(Service, Protocol):
    """A service with pages of its own beside the health endpoints."""

    def mount(self, app: Starlette) -> None:
        """Add its routes, and to the lifespan of `app` what must run before and after them."""
        ...


def main(
    service: str,
    kind: type[S],
    build: Callable[[S, Database, Clock, Logger], Service],
    *,
    role: str,
    websockets: bool = False,
) -> None:
    """Run a service until it is told to stop; a fatal error is one sentence and exit code 2."""
    log = configure_logging(service)
    try:
        settings = load_settings(kind)
        log = configure_logging(service, settings.log_level)
        asyncio.run(_run(service, settings, build, role, log, websockets=websockets))
    except TrackerError as error:
        log.error(
            "the service cannot go on", action="service_failed", error=str(error), kind=type(error).__name__
        )
        sys.stderr.write(f"{service}: {str(error).removeprefix(f'{service}: ')}\n")
        sys.exit(1 if error.retryable else 2)
    except Exception:
        # A defect: its traceback belongs into the log, where a line is one JSON object.
        log.exception("the service crashed", action="service_crashed")
        sys.exit(1)


async def _run(
    name: str,
    settings: S,
    build: Callable[[S, Database, Clock, Logger], Service],
    role: str,
    log: Logger,
    *,
    websockets: bool,
) -> None:
    if settings.database_url is None:
        raise ConfigError("environment: DATABASE_URL is missing")
    clock = SystemClock()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    pulse = Pulse(service=name, started_at=clock.now(), load=ProcessLoad(clock.monotonic))
    # Before the database is there: /livez must answer, and /readyz say what is missing.
    app = health_app(name, pulse.ready, pulse.report)
    async with serving(app, name, settings.host, settings.port, websockets=websockets) as port:
        database = await _open_patiently(name, settings, role, stop, log)
        if database is None:
            return
        try:
            service = build(settings, database, clock, log)
            if isinstance(service, WebService):
                service.mount(app)
            pulse.database, pulse.telling = database, service
            log.info(
                "the service runs", action="service_started", port=port, pid=os.getpid(), instance=pulse.instance
            )
            # The server took the app before there was a service: its lifespan is that of the service.
            async with app.router.lifespan_context(app):
                await _with_companions(service, settings, database, clock, pulse, stop, log)
            log.info("the service stopped", action="service_stopped")
        finally:
            await database.close()


async def _open_patiently(
    name: str, settings: ServiceSettings, role: str, stop: asyncio.Event, log: Logger
) -> Database | None:
    """Connect, waiting for a database that is not there yet; None where told to stop meanwhile."""
    assert settings.database_url is not None  # noqa: S101 - checked by the caller
    backoff = Backoff(initial=0.2, longest=5)
    while not stop.is_set():
        try:
            return await Database.open(
                settings.database_url.get_secret_value(),
                role=role,
                pool_size=settings.pool_size,
                application=f"tracker:{name}",
            )
        except TrackerError as error:
            if not error.retryable:
                raise
            log.warning("waiting for the database", action="database_wait", error=str(error))
            await _wait_for(stop, backoff.next_wait())
    return None


async def _with_companions(
    service: Service,
    settings: ServiceSettings,
    database: Database,
    clock: Clock,
    pulse: Pulse,
    stop: asyncio.Event,
    log: Logger,
) -> None:
    dependency = Dependency("database", settings.database_policy, clock)
    async with database.listening(service.channels) as hint:
        work = asyncio.create_task(
            run_loop(service, settings.poll_seconds, clock, pulse, stop, hint, log, dependency)
        )
        tasks = {
            work,
            asyncio.create_task(_beat_on(service, settings, database, clock, pulse, log)),
            asyncio.create_task(_watch_parent(settings, stop, log)),
        }
        if pulse.load is not None:
            tasks.add(asyncio.create_task(pulse.load.feel()))
        if isinstance(service, BackgroundService):
            tasks.add(asyncio.create_task(service.background(hint)))
        running = set(tasks)
        try:
            while not work.done():
                ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in ended:
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await beat(service, database, clock, pulse, log, status="stopped")


async def run_loop(
    service: Service,
    poll_seconds: float,
    clock: Clock,
    pulse: Pulse,
    stop: asyncio.Event,
    hint: asyncio.Event,
    log: Logger,
    database: Dependency | None = None,
) -> None:
    """Run until `stop`; a retryable error backs off, any other ends the process for its supervisor."""
    backoff = Backoff()
    database = database or Dependency("database", Policy(), clock)
    while not stop.is_set():
        hint.clear()
        try:
            with RUN_SECONDS.labels(service.name).time():
                more = await _run_once(service, stop)
        except TrackerError as error:
            RUNS.labels(service.name, "error").inc()
            told, pulse.last_error = pulse.last_error, str(error)
            if not error.retryable:
                raise
            away = isinstance(error, DatabaseUnavailableError)
            if away:
                database.failed(type(error).__name__)
            wait = database.next_wait() if away else backoff.next_wait()
            # An alert where a person must act, once and not at every attempt.
            tell = log.error if error.needs_person and told is None else log.warning
            tell(
                "a run failed and will be repeated",
                action="run_failed",
                error=str(error),
                kind=type(error).__name__,
                wait_seconds=round(wait, 2),
            )
            await _wait_for(stop, wait)
            continue
        RUNS.labels(service.name, "ok").inc()
        pulse.last_error, pulse.last_success = None, clock.now()
        LAST_SUCCESS.labels(service.name).set(pulse.last_success.timestamp())
        backoff.reset()
        database.succeeded()
        if not more:
            await _first_of(stop, hint, poll_seconds)


async def _run_once(service: Service, stop: asyncio.Event) -> bool:
    """Run once; an interruptible service is not waited for where it is told to stop meanwhile."""
    if not isinstance(service, InterruptibleService):
        return await service.run_once()
    run, told = asyncio.create_task(service.run_once()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({run, told}, return_when=asyncio.FIRST_COMPLETED)
        if run.done():
            return run.result()
        return False
    finally:
        told.cancel()
        run.cancel()
        await asyncio.gather(run, told, return_exceptions=True)


async def _beat_on(
    service: Service, settings: ServiceSettings, database: Database, clock: Clock, pulse: Pulse, log: Logger
) -> None:
    while True:
        await beat(service, database, clock, pulse, log)
        await asyncio.sleep(settings.heartbeat_seconds)


async def _watch_parent(settings: ServiceSettings, stop: asyncio.Event, log: Logger) -> None:
    """Stop when the supervisor is gone, so that no orphan goes on writing."""
    parent = os.getppid()
    while settings.supervised and not stop.is_set():
        if os.getppid() != parent:
            log.warning("the supervisor is gone", action="orphaned")
            stop.set()
        await asyncio.sleep(1)
    await stop.wait()


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), timeout=seconds)
    except TimeoutError:
        return


async def _first_of(stop: asyncio.Event, hint: asyncio.Event, seconds: float) -> None:
    waits = [asyncio.create_task(stop.wait()), asyncio.create_task(hint.wait())]
    await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()

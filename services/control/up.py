"""`tracker up`: bring the fleet up, show how it does, and drain it in the end."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from tracker.domain.errors import TrackerError
from tracker.runtime.settings import environment, load_settings

from services.control.config_check import check_configs
from services.control.config_versions import note_files
from services.control.fleet import FleetService, load_fleet
from services.control.fleet_status import StatusReader
from services.control.places import Places
from services.control.settings import ControlSettings
from services.control.source import SIMULATOR, Source, claim_database, source_environment
from services.control.status_view import status_view
from services.control.supervision import FleetRun, Progress

READY_SECONDS = 30.0
VENDOR_SECONDS = 5.0
COLLECTOR = "data_collector"
PATIENCE_SECONDS = 8.0
# Where no one can watch a table change, it is printed anew from time to time.
QUIET_SECONDS = 30.0
PAGES = ("dashboard", "health_monitor")
# Its own sign of life is the time of its last look.
MONITOR = "health_monitor"


class ServiceNotUpError(TrackerError):
    """A service of the fleet does not come up."""


class StopRequest:
    """SIGTERM and SIGINT, taken note of instead of ending the process."""

    def __init__(self) -> None:
        """Take the signals over."""
        self._event = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._event.set())

    def is_made(self) -> bool:
        """Tell whether a signal has come."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for a signal; return whether one has come."""
        return self._event.wait(seconds)


def plan_run(
    settings: ControlSettings, source: Source, services: tuple[str, ...], candles: Path | None, catch_up: str
) -> FleetRun:
    """Return the run that the options ask for; raises ConfigError or InputError."""
    fleet = load_fleet()
    inherited = environment()
    ports = fleet.ports(inherited)
    places = Places.of(settings.state_dir)
    chosen = fleet.chosen(services or _usual(source, fleet.names))
    extra = source_environment(
        source,
        ports[SIMULATOR],
        candles,
        catch_up,
        settings.polygon_api_key.get_secret_value(),
        places.state_dir / "universe.toml",
    )
    extra["HEALTH_MONITOR_SERVICES"] = ",".join(each.name for each in chosen if _beats(each))
    return FleetRun(
        state_dir=places.state_dir,
        runtime_dir=places.runtime_dir,
        ports=ports,
        environment={**inherited, **extra},
        services=[each.name for each in chosen],
        fleet=fleet,
    )


def fleet_here(settings: ControlSettings) -> FleetRun:
    """Return the run of this checkout without a choice of services: to look at it, or to stop it."""
    places = Places.of(settings.state_dir)
    return FleetRun(
        state_dir=places.state_dir,
        runtime_dir=places.runtime_dir,
        ports={},
        environment=environment(),
        services=(),
    )


def bring_up(run: FleetRun, source: Source, *, detach: bool, console: Console) -> None:
    """Start the fleet; then watch it until a signal comes and drain it, or leave it running."""
    stop = StopRequest()
    _check(console)
    run.places.prepare()
    claim_database(run.places.state_dir, run.environment, source)
    was_running = run.supervisor.is_running()
    if was_running:
        console.print("The fleet runs already; starting what is missing.")
    started = time.monotonic()
    try:
        with console.status("starting") as line:
            run.start(lambda step: _step(console, line.update, step))
            waiting = _await_ready(run, stop, line.update)
            asyncio.run(note_files(run.database_url, load_settings(ControlSettings)))
    except TrackerError:
        if not was_running and run.supervisor.is_running():
            bring_down(run, console)
        raise
    _announce(run, waiting, time.monotonic() - started, console)
    if detach and waiting:
        raise ServiceNotUpError(f"not up: {', '.join(waiting)}; the supervisor goes on trying")
    problems, troubles = _await_vendor(run, stop)
    for name, problem in problems.items():
        console.print(f"{name}: {problem}", style="red", soft_wrap=True, highlight=False)
    for name, trouble in troubles.items():
        console.print(f"{name}: {trouble}; it goes on trying", style="yellow", soft_wrap=True, highlight=False)
    if detach and problems:
        raise ServiceNotUpError(f"up, but of no use like this: {', '.join(problems)}")
    if not detach:
        _watch(run, stop, console)
    if not detach or stop.is_made():
        bring_down(run, console)


def bring_down(run: FleetRun, console: Console) -> None:
    """Drain the fleet and say so."""
    with console.status("stopping") as line:
        was_up = run.stop(lambda step: _step(console, line.update, step))
    console.print("The fleet is down." if was_up else "The fleet does not run.")


def _check(console: Console) -> None:
    settings = load_settings(ControlSettings)
    for sentence in check_configs(settings.config_dir, settings.strategies_dir):
        console.print(sentence, style="yellow", soft_wrap=True, highlight=False)


def _usual(source: Source, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name != SIMULATOR or source.needs_simulator)


def _beats(service: FleetService) -> bool:
    return service.role is not None and service.name != MONITOR


def _step(console: Console, update: Progress, step: str) -> None:
    console.print(f"  {step}", style="dim", highlight=False)
    update(step)


def _await_ready(run: FleetRun, stop: StopRequest, update: Progress) -> list[str]:
    """Wait until all services answer; return those that still do not.

    Those that keep failing are not waited for once the others are up.
    """
    started = time.monotonic()
    while True:
        waiting = [each.name for each in run.unready()]
        waited = time.monotonic() - started
        failing = {each.name for each in run.states() if each.state == "backoff"}
        hopeless = waited > PATIENCE_SECONDS and failing.issuperset(waiting)
        if not waiting or hopeless or stop.is_made() or waited > READY_SECONDS:
            return waiting
        update(f"waiting for {', '.join(waiting)}")
        stop.wait(0.1)


def _await_vendor(run: FleetRun, stop: StopRequest) -> tuple[dict[str, str], dict[str, str]]:
    """Return the services that a person must help, such as a collector with a wrong key, and those in trouble.

    Waits a moment for the vendor's first word; what comes later stands in the status table.
    """
    started = time.monotonic()
    while True:
        details = run.details()
        problems = _told(details, "problem")
        heard = details.get(COLLECTOR, {"connections": 1}).get("connections", 0)
        if problems or heard or stop.is_made() or time.monotonic() - started > VENDOR_SECONDS:
            return problems, {} if problems or heard else _told(details, "trouble")
        stop.wait(0.2)


def _told(details: Mapping[str, Mapping[str, Any]], kind: str) -> dict[str, str]:
    return {name: str(detail[kind]) for name, detail in details.items() if detail.get(kind)}


def _announce(run: FleetRun, waiting: list[str], seconds: float, console: Console) -> None:
    ready = len(run.services) - len(waiting)
    console.print(f"{ready} of {len(run.services)} services are up after {seconds:.1f} s", highlight=False)
    failing = {each.name for each in run.states() if each.state == "backoff"}
    for name in waiting:
        last = run.last_words(name).removeprefix(f"{name}: ")
        words = last if name in failing else f"does not answer yet: see {run.log_file(name)}"
        console.print(f"{name}: {words}", style="yellow", soft_wrap=True, highlight=False)
    names = [each.name for each in run.services]
    page = next((name for name in PAGES if name in names), None)
    if page is not None:
        path = "/" if page == "dashboard" else "/health"
        console.print(f"Page: http://127.0.0.1:{run.ports[page]}{path}", highlight=False, soft_wrap=True)
    console.print(f"Logs: {run.places.logs}", highlight=False, soft_wrap=True)


def _watch(run: FleetRun, stop: StopRequest, console: Console) -> None:
    console.print("Ctrl-C stops the fleet.")
    with StatusReader(run.database_url) as reader:
        if not console.is_terminal:
            while not stop.is_made():
                console.print(status_view(reader.read(run.states())))
                stop.wait(QUIET_SECONDS)
            return
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while not stop.is_made():
                live.update(status_view(reader.read(run.states())), refresh=True)
                stop.wait(1)

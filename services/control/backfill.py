"""`tracker backfill`: the collector's job on history, started, shown and reported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from tracker.domain.errors import InputError, TrackerError
from tracker.domain.timeframe import Timeframe
from tracker.runtime.settings import environment
from tracker.runtime.universe import load_universe

from services.control.database_at_hand import database_at_hand, database_url
from services.control.places import Places
from services.control.settings import ControlSettings
from services.control.simulator_at_hand import simulator_at_hand
from services.control.source import CATCH_UP, Source, claim_database, claimed_source, source_environment

# More would be partitions for centuries.
LONGEST_DAYS = 7_300
END_SECONDS = 10.0


class BackfillRefusedError(TrackerError):
    """The history cannot be fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRequest:
    """What was asked for on the command line; no symbols are all of the universe."""

    days: float
    timeframes: tuple[Timeframe, ...]
    symbols: tuple[str, ...]
    source: Source | None
    again: bool


def timeframes_of(text: str) -> tuple[Timeframe, ...]:
    """Return the timeframes in a list such as '1m,15m', each once; raises InputError for an unknown one."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise InputError(f"--timeframes: name at least one of {', '.join(Timeframe)}")
    return tuple(dict.fromkeys(timeframe_of("--timeframes", name) for name in names))


def timeframe_of(option: str, name: str) -> Timeframe:
    """Return the timeframe of that name; raises InputError naming the option."""
    try:
        return Timeframe(name)
    except ValueError:
        raise InputError(f"{option}: {name!r} is not one of {', '.join(Timeframe)}") from None


def universe_path(settings: ControlSettings) -> Path:
    """Return the file with the symbols of the fleet."""
    return Path(environment().get("TRACKER_UNIVERSE") or settings.config_dir / "universe.toml")


def check_symbols(symbols: Sequence[str], universe: Path) -> None:
    """Raise InputError for a symbol that the universe does not have."""
    known = {each.symbol for each in load_universe(universe).symbol}
    for symbol in symbols:
        if symbol not in known:
            raise InputError(f"--symbols: {symbol!r} is not in {universe.name}")


def backfill(settings: ControlSettings, request: BackfillRequest, console: Console) -> dict[str, Any]:
    """Fetch the history and return the report.

    Raises InputError or ConfigError for what cannot be asked, BackfillRefusedError in the job's words.
    """
    if not 0 < request.days <= LONGEST_DAYS:
        raise InputError(f"--days: {request.days:g} is not above 0 and at most {LONGEST_DAYS}")
    universe = universe_path(settings)
    check_symbols(request.symbols, universe)
    inherited = environment()
    places = Places.of(settings.state_dir)
    claim = {"DATABASE_URL": database_url(settings)}
    source = request.source or claimed_source(places.state_dir, claim) or Source.SIMULATED
    if source is Source.REPLAY:
        raise InputError("--source: replay has no history to fetch; `tracker import` takes candle files")
    key = settings.polygon_api_key.get_secret_value()
    source_environment(source, 0, None, CATCH_UP, key, universe)
    places.prepare()
    claim_database(places.state_dir, claim, source)
    with ExitStack() as lent, console.status("starting"):
        url = lent.enter_context(database_at_hand(settings))
        port = lent.enter_context(simulator_at_hand(settings)) if source is Source.SIMULATED else 0
        extra = source_environment(source, port, None, CATCH_UP, key, universe)
        extra |= {"DATABASE_URL": url, "TRACKER_UNIVERSE": str(universe)}
        console.print(f"Logs: {places.logs / 'backfill.log'}", style="dim", highlight=False, soft_wrap=True)
        with _job(_arguments(request), {**inherited, **extra}, places.logs / "backfill.log") as events:
            return _follow(events, console)


def _arguments(request: BackfillRequest) -> list[str]:
    arguments = ["--days", repr(request.days), "--timeframes", ",".join(request.timeframes)]
    if request.symbols:
        arguments += ["--symbols", ",".join(request.symbols)]
    return [*arguments, "--again"] if request.again else arguments


@contextmanager
def _job(arguments: Sequence[str], variables: Mapping[str, str], log: Path) -> Iterator[Iterator[dict[str, Any]]]:
    """Run the collector's job and yield what it tells."""
    with log.open("ab") as kept:
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "services.data_collector.jobs", "backfill", *arguments],
            env=dict(variables), stdout=subprocess.PIPE, stderr=kept,
        )
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        yield (orjson.loads(line) for line in process.stdout)
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _follow(events: Iterator[dict[str, Any]], console: Console) -> dict[str, Any]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[pace]}"),
        TimeElapsedColumn(), TextColumn("eta"), TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, speed_estimate_period=60) as progress:
        task = progress.add_task("planning", total=None, pace="")
        new = 0
        for event in events:
            match event.pop("event"):
                case "plan":
                    what = f"{event['chunks']:,} pieces of {event['symbols']} symbols"
                    progress.update(task, description=what, total=event["bars"])
                case "chunk":
                    new += event["new"]
                    speed = progress.tasks[0].speed or 0
                    pace = f"{new:,} new bars, {speed:,.0f} rows/s, {event['symbol']} {event['timeframe']}"
                    progress.update(task, advance=event["bars"], pace=pace)
                case "refused":
                    raise BackfillRefusedError(event["error"])
                case _:
                    return event
    raise BackfillRefusedError("the job ended without a report: the same command goes on where it was")

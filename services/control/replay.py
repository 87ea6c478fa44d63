"""`tracker replay`: every candle of a folder through the real processes, as fast as they keep up."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
import time
import uuid
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tracker.domain.errors import InputError
from tracker.domain.timeframe import EPOCH
from tracker.runtime.candles import BadRow, CandleFile, candle_files, read_candles
from tracker.runtime.settings import environment

from services.control.candle_universe import write_universe
from services.control.fleet import POSTGRES, Fleet, load_fleet
from services.control.places import Places
from services.control.replay_database import fresh_database
from services.control.replay_folders import forget_replays, prepare_replay, replay_folder
from services.control.replay_pace import Pace, Stages, keep_pace
from services.control.replay_report import ReplayReport, read_report
from services.control.settings import ControlSettings
from services.control.source import SIMULATOR
from services.control.supervision import FleetRun

SHADOW = "shadow_tester"
LEFT_OUT = ("dashboard", "data_scheduler", SHADOW)
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candles:
    """What is to be replayed: `closes` is int64, Unix seconds of every bar's close, ascending."""

    path: Path
    files: tuple[CandleFile, ...]
    closes: NDArray[np.int64]
    first_open: int
    bad_rows: tuple[BadRow, ...]

    @property
    def last_close(self) -> int:
        """Unix seconds at which the last bar closes."""
        return int(self.closes[-1])


def read_everything(path: Path, symbols: Collection[str]) -> Candles:
    """Read the candles once to know their span.

    Raises InputError where there are none, or where a file cannot be used.
    """
    resolved = path.expanduser().resolve()
    files = candle_files(resolved, symbols)
    missing = sorted(set(symbols) - {file.symbol for file in files})
    if missing:
        raise InputError(f"{path}: no candles of {', '.join(missing)}")
    series = [read_candles(file) for file in files]
    closes = [each.ts + each.timeframe.seconds for each in series if len(each)]
    if not closes:
        raise InputError(f"{path}: no candle in any of its {len(files)} files")
    bad_rows = tuple(row for each in series for row in each.bad_rows)
    first_open = min(int(each.ts.min()) for each in series if len(each))
    return Candles(
        path=resolved, files=files, closes=np.sort(np.concatenate(closes)), first_open=first_open, bad_rows=bad_rows
    )


def replay(
    settings: ControlSettings, path: Path, symbols: Collection[str], progress: Progress, *, keep: bool = False,
    shadow: bool = False,
) -> tuple[ReplayReport, tuple[BadRow, ...]]:
    """Replay and return the report, with the rows of the files that hold no numbers.

    The database and the logs are fresh. They stay for `tracker psql --replay`, in the place of the replay before,
    which goes unless it was made with `keep`. With `shadow` the variations of shadow.toml are tried too.
    """
    candles = read_everything(path, symbols)
    identity = uuid.uuid4().hex[:8]
    state_dir = replay_folder(settings.state_dir, identity)
    places = Places.of(state_dir)
    fleet = load_fleet()
    started = time.monotonic()
    with ExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, places.runtime_dir, ignore_errors=True)
        url = cleanup.enter_context(fresh_database(settings.url, f"tracker_replay_{identity}", keep=keep))
        forget_replays(settings.state_dir)
        prepare_replay(state_dir, keep=keep)
        run = plan_replay(settings, places, fleet, candles, symbols, url, shadow=shadow)
        cleanup.callback(run.stop, progress)
        run.start(progress)
        pace = Pace(
            closes=candles.closes, first_open=candles.first_open, simulator=f"http://127.0.0.1:{run.ports[SIMULATOR]}"
        )
        asyncio.run(keep_pace(run.database_url, pace, Stages(shadow=shadow), progress))
        report = asyncio.run(read_report(run.database_url))
    return report.after(time.monotonic() - started), candles.bad_rows


def tell_bad_rows(bad_rows: Collection[BadRow]) -> None:
    """Print one sentence for each row that could not be read."""
    for row in bad_rows:
        sys.stderr.write(f"tracker: {row.file}: line {row.line}: {row.field} = {row.value!r}: {row.reason}\n")


def plan_replay(
    settings: ControlSettings, places: Places, fleet: Fleet, candles: Candles, symbols: Collection[str],
    url: str | None, *, shadow: bool = False,
) -> FleetRun:
    """Return the run that replays `candles` with everything of its own: ports, folders, database, universe."""
    left_out = {*LEFT_OUT, POSTGRES} - ({SHADOW} if shadow else set())
    services = [name for name in fleet.names if name not in left_out]
    ports = _free_ports(services)
    universe = places.state_dir / "universe.toml"
    write_universe(universe, candles.files)
    first, last = (_iso(moment) for moment in (candles.first_open, candles.last_close))
    return FleetRun(
        state_dir=places.state_dir,
        runtime_dir=places.runtime_dir,
        ports=ports,
        services=services,
        fleet=fleet,
        environment={
            **environment(),
            "DATABASE_URL": url or "",
            "HOST": "127.0.0.1",
            "TRACKER_SOURCE": "replay",
            "TRACKER_UNIVERSE": str(universe),
            "POLYGON_WS_URL": f"ws://127.0.0.1:{ports[SIMULATOR]}/crypto",
            "POLYGON_REST_URL": f"http://127.0.0.1:{ports[SIMULATOR]}",
            "POLYGON_API_KEY": "simulated",
            "MARKET_SIMULATOR_CANDLES": str(candles.path),
            "MARKET_SIMULATOR_SYMBOLS": ",".join(symbols),
            "MARKET_SIMULATOR_CLOCK": "paced",
            # All history comes by the stream, and where that fails by REST from the first candle on.
            "DATA_COLLECTOR_BACKFILL_1M_DAYS": "0",
            "DATA_COLLECTOR_BACKFILL_15M_DAYS": "0",
            "DATA_COLLECTOR_BACKFILL_1H_DAYS": "0",
            "DATA_COLLECTOR_BACKFILL_1D_DAYS": "0",
            "DATA_COLLECTOR_HISTORY_FROM": first,
            "DATA_COLLECTOR_HISTORY_TO": last,
            "DATA_COLLECTOR_GRACE_SECONDS": "1",
            # What the candle files leave out is known to be missing there as soon as it is asked for.
            "DATA_COLLECTOR_HEAL_SECONDS": "1",
            "DATA_COLLECTOR_CONFIRM_AFTER_SECONDS": "0",
            "DATA_COLLECTOR_STALL_SECONDS": "3600",
            "DATA_COLLECTOR_LONGEST_BACKOFF_SECONDS": "2",
            "DATA_COLLECTOR_CONNECTION_COOL_DOWN_SECONDS": "2",
            "FEATURE_CALCULATOR_LOOKBACK_HOURS": "0",
            # Nothing may be decided without a scan, however long a killed scanner takes to come back.
            "PAPER_TRADER_SIGNAL_GRACE_SECONDS": "none",
            "POLL_SECONDS": "0.25",
        },
    )


def _iso(seconds: int) -> str:
    return (EPOCH + timedelta(seconds=seconds)).isoformat()


def _free_ports(services: Collection[str]) -> dict[str, int]:
    """Return ports nobody uses now; all are held until the last is found, so that they differ."""
    with ExitStack() as held:
        ports: dict[str, int] = {}
        for name in services:
            bound = held.enter_context(socket.socket())
            bound.bind(("127.0.0.1", 0))
            ports[name] = bound.getsockname()[1]
        return ports

"""The stand-in exchange to ask for history, also while the fleet is down."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import orjson
from tracker.domain.errors import TrackerError
from tracker.runtime.settings import environment

from services.control.fleet import load_fleet
from services.control.places import Places
from services.control.settings import ControlSettings
from services.control.source import SIMULATOR
from services.control.supervisor_daemon import SupervisorDaemon

END_SECONDS = 5.0


class SimulatorNotUpError(TrackerError):
    """The market simulator does not come up."""


@contextmanager
def simulator_at_hand(settings: ControlSettings) -> Iterator[int]:
    """Yield the port of the fleet's simulator; where none runs one is started for the time.

    Raises SimulatorNotUpError in the simulator's own words.
    """
    places = Places.of(settings.state_dir)
    programs = SupervisorDaemon(places).programs()
    if any(each.name == SIMULATOR and each.state == "running" for each in programs):
        yield load_fleet().ports(environment())[SIMULATOR]
        return
    places.prepare()
    process = subprocess.Popen(
        [sys.executable, "-m", "services.market_simulator", "--port", "0"],
        # It ends with this process, however that ends.
        env={**environment(), "TRACKER_SUPERVISED": "true", "LOG_LEVEL": "INFO", "HOST": "127.0.0.1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        yield _port(process.stdout, places.logs / "backfill_simulator.log")
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(said: IO[bytes], log: Path) -> int:
    line = said.readline()
    try:
        port = int(orjson.loads(line)["port"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise SimulatorNotUpError(f"{SIMULATOR} does not come up: {line.decode(errors='replace').strip()}") from None
    threading.Thread(target=_keep, args=(said, log), daemon=True).start()
    return port


def _keep(said: IO[bytes], log: Path) -> None:
    """Write what the simulator says where one can look, so that its pipe never fills."""
    with log.open("wb") as kept:
        for line in said:
            kept.write(line)
            kept.flush()

"""One run of the fleet on this machine."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from tracker.domain.errors import DatabaseSetupError
from tracker.store.database import check_reachable
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.migrate import migrate

from services.control.fleet import POSTGRES, Fleet, FleetService, load_fleet
from services.control.places import Places
from services.control.ports import answers, check_ports, health_of
from services.control.supervisor_config import POSTGRES_STOP_SECONDS, STOP_SECONDS
from services.control.supervisor_daemon import Program, SupervisorDaemon

DATABASE_SECONDS = 60.0
Progress = Callable[[str], None]


class FleetRun:
    """The chosen services, and the embedded database where `environment` holds no DATABASE_URL.

    Runs with different folders and ports do not touch each other.
    """

    def __init__(
        self,
        *,
        state_dir: Path,
        runtime_dir: Path,
        ports: Mapping[str, int],
        environment: Mapping[str, str],
        services: Collection[str],
        fleet: Fleet | None = None,
    ) -> None:
        """Take `ports` by service name, `environment` whole as the children shall see it, `services` by name.

        Raises InputError for a service that is not in the table.
        """
        self.fleet = fleet or load_fleet()
        self.places = Places(state_dir=state_dir.resolve(), runtime_dir=runtime_dir.resolve())
        self.services = self.fleet.chosen([name for name in services if name != POSTGRES])
        self.ports = {each.name: ports.get(each.name, each.port) for each in self.fleet.service}
        self.host = environment.get("HOST", "127.0.0.1")
        self.postgres: EmbeddedPostgres | None = None
        if not environment.get("DATABASE_URL"):
            self.postgres = EmbeddedPostgres(self.places.postgres_data, self.places.runtime_dir)
        self.database_url = environment.get("DATABASE_URL") or (self.postgres.url if self.postgres else "")
        self.environment = {**environment, **self._supervisor_environment()}
        self.supervisor = SupervisorDaemon(self.places)

    def start(self, progress: Progress = lambda _: None) -> None:
        """Start what is not up yet: supervisor, database, then the services in the table's order.

        Waits for the database, not for the services. Raises PortInUseError, DatabaseSetupError or
        SupervisorError; what was started then goes on.
        """
        self.places.prepare()
        up = {each.name for each in self.states() if each.pid is not None}
        down = [each.name for each in self.services if each.name not in up]
        check_ports({name: self.ports[name] for name in down}, self.host)
        if self.postgres is None:
            asyncio.run(check_reachable(self.database_url))
        progress("starting the supervisor")
        self.supervisor.launch(self.environment)
        if self.postgres is not None:
            progress("starting the database")
            self.supervisor.start(POSTGRES)
            self._await_database(self.postgres)
        progress("migrating the database")
        migrate(self.database_url)
        for service in self.services:
            progress(f"starting {service.name}")
            self.supervisor.start(service.name)

    def stop(self, progress: Progress = lambda _: None) -> bool:
        """Drain the services, then stop the database and the supervisor; return whether there was a fleet."""
        if not self.supervisor.is_running():
            self.supervisor.clean_up()
            return False
        progress("draining the services")
        names = [each.name for each in self.states() if each.is_alive and each.name != POSTGRES]
        self._stop_programs(list(reversed(names)), STOP_SECONDS)
        progress("stopping the database")
        self._stop_programs([POSTGRES], POSTGRES_STOP_SECONDS)
        self.supervisor.shut_down()
        return True

    def states(self) -> tuple[Program, ...]:
        """Return the state of every program, in the order of the start; none without a supervisor."""
        order = {name: place for place, name in enumerate((POSTGRES, *self.fleet.names))}
        return tuple(sorted(self.supervisor.programs(), key=lambda each: order.get(each.name, len(order))))

    def unready(self) -> list[FleetService]:
        """Return the chosen services whose health endpoint does not answer with 200."""
        return [
            each for each in self.services if not answers(self.host, self.ports[each.name], each.health_path)
        ]

    def details(self) -> dict[str, dict[str, Any]]:
        """Return what each chosen service that answers tells of itself in /health."""
        found = {each.name: health_of(self.host, self.ports[each.name]) for each in self.services}
        return {name: health.get("detail") or {} for name, health in found.items()}

    def log_file(self, name: str) -> Path:
        """Return where a program writes what it has to say."""
        return self.places.logs / f"{name}.log"

    def _supervisor_environment(self) -> dict[str, str]:
        ports = {each.port_variable: str(self.ports[each.name]) for each in self.fleet.service}
        return ports | {
            "TRACKER_STATE_DIR": str(self.places.state_dir),
            "TRACKER_RUNTIME_DIR": str(self.places.runtime_dir),
            "TRACKER_PYTHON": sys.executable,
            "DATABASE_URL": self.database_url,
        }

    def _await_database(self, server: EmbeddedPostgres) -> None:
        deadline = time.monotonic() + DATABASE_SECONDS
        while not _accepts(server):
            broken = any(each.name == POSTGRES and each.state == "backoff" for each in self.states())
            if broken or time.monotonic() > deadline:
                raise DatabaseSetupError(f"the database does not start: {self.last_words(POSTGRES)}")
            time.sleep(0.05)

    def last_words(self, name: str) -> str:
        """Return the last thing a program wrote, its message where that is a log line."""
        log = self.log_file(name)
        lines = log.read_text(errors="replace").split("\n") if log.exists() else []
        return next((line for line in reversed(lines) if line.strip()), f"see {log}")

    def _stop_programs(self, names: list[str], seconds: float) -> None:
        for name in names:
            self.supervisor.stop(name)
        # Supervisor kills what does not end in time; the rest is for the signal to arrive.
        deadline = time.monotonic() + seconds + 5
        while time.monotonic() < deadline:
            if not any(each.is_alive for each in self.states() if each.name in names):
                return
            time.sleep(0.1)


def _accepts(server: EmbeddedPostgres) -> bool:
    """Tell whether the tracker database itself answers, which is made only after the server is up."""
    done = subprocess.run(  # noqa: S603 - our own binary
        [str(server.psql), "-X", "-q", "-c", "SELECT 1", server.url], capture_output=True, check=False
    )
    return done.returncode == 0

"""What `tracker status` knows: the supervisor's view and the database's, side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import psutil
from tracker.domain.errors import SchemaError, TrackerError
from tracker.store.database import Database
from tracker.store.status import AccountState, PipelineStatus, ServiceSign, read_status

from services.control.supervision import FleetRun
from services.control.supervisor_daemon import Program

NO_DATABASE = "the embedded database does not run: `tracker up` starts it"
NOT_MIGRATED = "the database is empty: `tracker up` or `tracker migrate` fills it"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetStatus:
    """The fleet at one moment; without `pipeline`, `problem` says why the database tells nothing."""

    programs: tuple[Program, ...]
    pipeline: PipelineStatus | None
    problem: str | None

    def signs(self) -> list[ServiceSign]:
        """Return the heartbeats of all instances."""
        return [] if self.pipeline is None else list(self.pipeline.services)

    def document(self) -> dict[str, Any]:
        """Return everything as plain JSON values; times are ISO, UTC."""
        pipeline = self.pipeline
        return {
            "database": {"reachable": pipeline is not None, "problem": self.problem},
            "services": _services(self),
            "freshness": {} if pipeline is None else _freshness(pipeline),
            "symbols": {} if pipeline is None else _symbols(pipeline),
            "scans": {} if pipeline is None else _scans(pipeline),
            "open_positions": None if pipeline is None else sum(a.open_positions for a in pipeline.accounts),
            "equity": {} if pipeline is None else {a.account: _equity(a) for a in pipeline.accounts},
            "maintenance": {} if pipeline is None else _maintenance(pipeline),
        }


class StatusReader:
    """Reads the pipeline's state over one connection, from code without an event loop."""

    def __init__(self, url: str) -> None:
        """Remember the database; the connection is made at the first `read`."""
        self._url = url
        self._runner = asyncio.Runner()
        self._database: Database | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        if self._database is not None:
            self._runner.run(self._database.close())
        self._runner.close()

    def read(self, programs: Sequence[Program]) -> FleetStatus:
        """Return the state of this moment; a database that does not answer is part of it, not an error."""
        try:
            pipeline = self._runner.run(self._read())
        except SchemaError:
            return FleetStatus(programs=tuple(programs), pipeline=None, problem=NOT_MIGRATED)
        except TrackerError as error:
            return FleetStatus(programs=tuple(programs), pipeline=None, problem=str(error))
        return FleetStatus(programs=tuple(programs), pipeline=pipeline, problem=None)

    async def _read(self) -> PipelineStatus:
        if self._database is None:
            # As the login itself: before the first migration there are no roles to take on.
            self._database = await Database.open(
                self._url, role=None, pool_size=1, application="tracker:control"
            )
        async with self._database.transaction() as transaction:
            return await read_status(transaction)


def look(run: FleetRun) -> FleetStatus:
    """Return the state of a run at this moment."""
    programs = run.states()
    if run.postgres is not None and not run.postgres.is_running():
        return FleetStatus(programs=programs, pipeline=None, problem=NO_DATABASE)
    with StatusReader(run.database_url) as reader:
        return reader.read(programs)


def _services(status: FleetStatus) -> list[dict[str, Any]]:
    left = status.signs()
    rows: list[dict[str, Any]] = []
    for program in status.programs:
        sign = _sign_of(program, left)
        if sign is not None:
            left.remove(sign)
        rows.append(_service(program.name, program, sign))
    # What runs beside the fleet, such as a second collector that stands by.
    return [*rows, *(_service(sign.service, None, sign) for sign in left)]


def _sign_of(program: Program, signs: Sequence[ServiceSign]) -> ServiceSign | None:
    """Return the heartbeat of the program's own process, else the newest of its service."""
    mine = [each for each in signs if each.service == program.name]
    own = [each for each in mine if each.pid == program.pid]
    return min(own or mine, key=lambda each: each.age_seconds, default=None)


def _service(name: str, program: Program | None, sign: ServiceSign | None) -> dict[str, Any]:
    return {
        "name": name,
        "role": None if sign is None else sign.role,
        "state": None if program is None else program.state,
        "pid": None if program is None else program.pid,
        "uptime_seconds": None if program is None else program.uptime_seconds,
        "status": None if sign is None else sign.status,
        "heartbeat_age_seconds": None if sign is None else round(sign.age_seconds, 1),
        "rss_mb": _rss_mb(program, sign),
        "restarts": None if sign is None else sign.restarts,
        "problem": (program.problem if program else None) or (sign.problem if sign else None),
    }


def _rss_mb(program: Program | None, sign: ServiceSign | None) -> float | None:
    """Return the memory in MB from the heartbeat, or from the system for what has none."""
    if sign is not None:
        return round(sign.rss_bytes / 1e6, 1)
    if program is None or program.pid is None:
        return None
    try:
        return round(psutil.Process(program.pid).memory_info().rss / 1e6, 1)
    except psutil.Error:
        return None


def _freshness(pipeline: PipelineStatus) -> dict[str, Any]:
    return {
        each.timeframe: {
            "newest": each.newest and each.newest.isoformat(),
            "age_seconds": None if each.age_seconds is None else round(each.age_seconds, 1),
            "closed_through": each.closed_through and each.closed_through.isoformat(),
        }
        for each in pipeline.freshness
    }


def _symbols(pipeline: PipelineStatus) -> dict[str, Any]:
    return {
        "live": sum(each.live for each in pipeline.symbols),
        "total": len(pipeline.symbols),
        "unsupported": [each.symbol for each in pipeline.symbols if each.status == "unsupported"],
    }


def _scans(pipeline: PipelineStatus) -> dict[str, Any]:
    return {
        each.strategy: {
            "closed_through": each.closed_through.isoformat(),
            "last_hour": each.event_hour,
            "signals_last_hour": each.event_signals,
            "last_hour_wall_clock": each.wall_hour,
        }
        for each in pipeline.scans
    }


def _maintenance(pipeline: PipelineStatus) -> dict[str, Any]:
    return {
        each.task: {
            "finished_at": each.finished_at.isoformat(), "seconds": round(each.seconds, 1), "ok": each.ok,
            "unfinished": each.unfinished, "error": each.error,
        }
        for each in pipeline.maintenance
    }


def _equity(account: AccountState) -> dict[str, Any]:
    return {
        "currency": account.currency,
        "at": account.ts and account.ts.isoformat(),
        "equity": _plain(account.equity),
        "realised_pnl": _plain(account.realised_pnl),
        "unrealised_pnl": _plain(account.unrealised_pnl),
        "open_positions": account.open_positions,
    }


def _plain(amount: object) -> float | None:
    return None if amount is None else float(str(amount))

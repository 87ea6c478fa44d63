"""The work of `tracker doctor`: what the health monitor found, and whether it still looks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tracker.domain.clock import Clock
from tracker.domain.errors import InputError, SchemaError, TrackerError
from tracker.runtime.findings import GROUPS, database_finding, monitor_finding
from tracker.store.database import Database
from tracker.store.health.facts import read_now
from tracker.store.health.findings import Finding, MonitorAge, read_findings, read_monitor_age

from services.control.fleet_status import NO_DATABASE, NOT_MIGRATED
from services.control.supervision import FleetRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What is known of the fleet at `now`; without a database, `problem` says why and is the only finding."""

    now: datetime
    findings: Sequence[Finding]
    monitor: MonitorAge | None
    problem: str | None = None

    @property
    def exit_code(self) -> int:
        """0 where everything holds, 1 where something does not, 2 where there is no database."""
        if self.problem is not None:
            return 2
        return 0 if all(each.ok for each in self.findings) else 1


def group_of(name: str | None) -> str | None:
    """Return the group that is meant, None for all; raises InputError."""
    if name is not None and name not in GROUPS:
        raise InputError(f"--group {name!r} is none of {', '.join(GROUPS)}")
    return name


def examine(run: FleetRun, group: str | None, clock: Clock) -> Diagnosis:
    """Return the findings of a fleet, or of one group of them; nothing is started for it."""
    if run.postgres is not None and not run.postgres.is_running():
        return _unknown(NO_DATABASE, clock)
    try:
        return asyncio.run(_read(run.database_url, group))
    except SchemaError:
        return _unknown(NOT_MIGRATED, clock)
    except TrackerError as error:
        return _unknown(str(error), clock)


async def _read(url: str, group: str | None) -> Diagnosis:
    # As the login itself: before the first migration there are no roles to take on.
    database = await Database.open(url, role=None, pool_size=1, application="tracker:doctor")
    try:
        async with database.transaction() as transaction:
            now, age = await read_now(transaction), await read_monitor_age(transaction)
            found = await read_findings(transaction)
    finally:
        await database.close()
    own = monitor_finding(age, now)
    # A monitor that is dead concerns every group: what is said of it is as old as that.
    return Diagnosis(
        now=now,
        findings=[
            each for each in (own, *found) if group in (None, each.group) or (each is own and not own.ok)
        ],
        monitor=age,
    )


def _unknown(reason: str, clock: Clock) -> Diagnosis:
    now = clock.now()
    return Diagnosis(now=now, findings=[database_finding(reason, now)], monitor=None, problem=reason)

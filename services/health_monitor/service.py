"""Looks at the fleet every few seconds and keeps what it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from tracker.domain.clock import Clock
from tracker.runtime.findings import monitor_finding
from tracker.runtime.health import HealthJSON, HealthReport
from tracker.runtime.logging import Logger
from tracker.store.database import Database
from tracker.store.health.facts import read_now
from tracker.store.health.findings import (
    Finding,
    Look,
    MonitorAge,
    Standing,
    keep_findings,
    read_standings,
    write_findings,
    write_look,
)

from services.health_monitor import metrics, report
from services.health_monitor.books import Books
from services.health_monitor.invariants import GROUPS
from services.health_monitor.invariants.base import Group, Invariant
from services.health_monitor.judging import Judged, judge
from services.health_monitor.observing import Observer
from services.health_monitor.settings import MonitorSettings


class HealthMonitor:
    """Judges every invariant; changes are logged, and kept with the time since when they hold."""

    name = "health_monitor"
    channels: tuple[str, ...] = ()

    def __init__(
        self, database: Database, settings: MonitorSettings, clock: Clock, log: Logger,
        groups: Sequence[Group] = GROUPS,
    ) -> None:
        """Start without findings."""
        self._database = database
        self._settings = settings
        self._clock = clock
        self._log = log
        self._kinds = tuple(kind for group in groups for kind in group.invariants)
        self._judged: Mapping[type[Invariant], Sequence[Judged]] = {}
        self._findings: list[Finding] = []
        self._began: float | None = None
        self._looked_at: datetime | None = None
        self._observer = Observer(
            database, settings, clock, tuple(each for group in groups for each in group.sources),
            Books(database, clock, settings.ledger_every_seconds),
        )

    def findings(self) -> list[Finding]:
        """Return everything that was found at the last look, and first whether that was lately."""
        age = None if self._looked_at is None else (self._clock.now() - self._looked_at).total_seconds()
        limit = self._settings.look_limit_seconds
        own = MonitorAge(
            alive=age is not None and age <= limit, looked_at=self._looked_at, age_seconds=age, limit_seconds=limit
        )
        return [monitor_finding(own, self._clock.now()), *self._findings]

    def detail(self) -> dict[str, Any]:
        """Return the counts shown in the heartbeat."""
        failing = [each for each in self._findings if not each.ok]
        return {
            "findings": len(self._findings),
            "critical": [each.name for each in failing if each.severity == "critical"],
            "warnings": [each.name for each in failing if each.severity != "critical"],
        }

    def health(self, own: HealthReport) -> HealthReport:
        """Return the state of the whole fleet."""
        return report.health(own, self.findings())

    def mount(self, app: Starlette) -> None:
        """Add the short answer for whoever only asks whether all is well."""

        async def simple(_: Request) -> HealthJSON:
            body = report.simple(self.findings())
            return HealthJSON(body, status_code=503 if body["status"] == "fail" else 200)

        app.add_route("/health/simple", simple)

    async def run_once(self) -> bool:
        """Judge once every few seconds."""
        began = self._clock.monotonic()
        if self._began is not None and began - self._began < self._settings.every_seconds:
            return False
        async with self._database.transaction() as transaction:
            standings = await read_standings(transaction)
        seen = await self._observer.look()
        self._judged = judge(self._kinds, seen, self._judged)
        async with self._database.transaction() as transaction:
            now = await read_now(transaction)
            # Known before it is written: a database that takes no writes must not hide what is found.
            self._findings = [
                each.finding(standings.get(each.name), now) for kind in self._judged.values() for each in kind
            ]
            self._looked_at, self._began = self._clock.now(), began
            metrics.show(self._findings, seen, self._observer.seconds)
            await write_findings(transaction, now, self._findings)
            await keep_findings(transaction, now, self._due(standings, now))
            await write_look(transaction, self._look(now, self._clock.monotonic() - began))
            await transaction.commit()
        self._tell(standings)
        return False

    def _look(self, now: datetime, seconds: float) -> Look:
        failing = [each.severity == "critical" for each in self._findings if not each.ok]
        return Look(
            looked_at=now, every_seconds=self._settings.every_seconds, seconds=seconds, findings=len(self._findings),
            critical=sum(failing), warnings=len(failing) - sum(failing),
        )

    def _due(self, standings: Mapping[str, Standing], now: datetime) -> list[Finding]:
        """Return what is added to the history: what changed, and now and then what did not."""
        due: list[Finding] = []
        for finding in self._findings:
            last = standings.get(finding.name)
            if (
                last is None
                or last.ok != finding.ok
                or (now - last.kept_at).total_seconds() >= self._settings.keep_every_seconds
            ):
                due.append(finding)
        return due

    def _tell(self, standings: Mapping[str, Standing]) -> None:
        for finding in self._findings:
            last = standings.get(finding.name)
            if last is not None and last.ok == finding.ok:
                continue
            if finding.ok:
                self._log.info("an invariant holds", action="invariant_ok", name=finding.name,
                               observed=finding.observed)
            else:
                self._log.error("an invariant is broken", action="invariant_broken", name=finding.name,
                                observed=finding.observed, limit=finding.limit, advice=finding.advice)



"""Looks at the fleet every few seconds and keeps what it found."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from prometheus_client import Gauge
from tracker.domain.clock import Clock
from tracker.runtime.logging import Logger
from tracker.store.database import Database, Transaction
from tracker.store.gaps import GapQuestion, read_coverage
from tracker.store.health import Facts, Finding, keep_findings, read_facts, read_last_findings, read_stages
from tracker.store.heartbeats import read_heartbeats
from tracker.store.job_facts import read_job_facts
from tracker.store.model_performance import read_model_states
from tracker.store.parity_reports import read_last_report
from tracker.store.shadow import read_shadow_stages

from services.health_monitor.books import Books
from services.health_monitor.invariants import ALL, Observation
from services.health_monitor.settings import MonitorSettings

# What is older was looked at when it was young.
EXPLAINED_WITHIN = timedelta(hours=1)
OK = Gauge("tracker_invariant_ok", "1 while an invariant holds", ["name"])


class HealthMonitor:
    """Judges every invariant; changes are logged, and kept with the time since when they hold."""

    name = "health_monitor"
    channels: tuple[str, ...] = ()

    def __init__(self, database: Database, settings: MonitorSettings, clock: Clock, log: Logger) -> None:
        """Start without findings."""
        self._database = database
        self._settings = settings
        self._clock = clock
        self._log = log
        self._findings: list[Finding] = []
        self._looked_at: float | None = None
        self._books = Books(database, clock, settings.ledger_every_seconds)

    def detail(self) -> dict[str, Any]:
        """Return what is shown in /health: every finding."""
        return {
            "ok": sum(finding.ok for finding in self._findings),
            "failing": [finding.name for finding in self._findings if not finding.ok],
            "findings": [
                {
                    "name": f.name, "group": f.group, "severity": f.severity, "observed": f.observed,
                    "limit": f.limit, "ok": f.ok, "since": f.since.isoformat(), "advice": f.advice,
                }
                for f in self._findings
            ],
        }

    async def run_once(self) -> bool:
        """Judge once every few seconds."""
        now = self._clock.monotonic()
        if self._looked_at is not None and now - self._looked_at < self._settings.every_seconds:
            return False
        await self._books.look()
        async with self._database.transaction() as transaction:
            await self._judge(transaction)
            await transaction.commit()
        self._looked_at = now
        return False

    async def _judge(self, transaction: Transaction) -> None:
        facts = await read_facts(transaction)
        seen = Observation(
            facts=facts,
            stages=tuple(await read_stages(transaction)),
            heartbeats=tuple(await read_heartbeats(transaction)),
            settings=self._settings,
            unexplained=await _unexplained(transaction, facts),
            shadow=tuple(await read_shadow_stages(transaction)),
            parity=await read_last_report(transaction),
            books=self._books.checks,
            models=tuple(await read_model_states(transaction)),
            jobs=await read_job_facts(transaction),
        )
        verdicts = [(kind, verdict) for kind in ALL for verdict in kind().judge(seen)]
        kept = await read_last_findings(transaction, [verdict.name for _, verdict in verdicts])
        findings: list[Finding] = []
        due: list[Finding] = []
        for kind, verdict in verdicts:
            last = kept.get(verdict.name)
            changed = last is None or last[1] != verdict.ok
            since = facts.now if last is None or changed else last[2]
            finding = Finding(
                name=verdict.name, group=kind.group, severity=kind.severity, observed=verdict.observed,
                limit=verdict.limit, ok=verdict.ok, since=since, advice=verdict.advice,
            )
            findings.append(finding)
            OK.labels(finding.name).set(finding.ok)
            if changed or self._is_old(last, facts.now):
                due.append(finding)
            if changed:
                self._tell(finding)
        await keep_findings(transaction, facts.now, due)
        self._findings = findings

    def _is_old(self, last: tuple[datetime, bool, datetime] | None, now: datetime) -> bool:
        return last is None or (now - last[0]).total_seconds() >= self._settings.keep_every_seconds

    def _tell(self, finding: Finding) -> None:
        if finding.ok:
            self._log.info("an invariant holds", action="invariant_ok", name=finding.name,
                           observed=finding.observed)
        else:
            self._log.error("an invariant is broken", action="invariant_broken", name=finding.name,
                            observed=finding.observed, limit=finding.limit, advice=finding.advice)


async def _unexplained(transaction: Transaction, facts: Facts) -> dict[str, int]:
    end = facts.closed_through
    if end is None:
        return {}
    coverage = await read_coverage(transaction, GapQuestion(first=end - EXPLAINED_WITHIN, end=end))
    return {each.symbol: each.unexplained for each in coverage if each.unexplained}

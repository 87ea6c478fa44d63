"""What is made of the health monitor's findings, by itself and by whoever reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tracker.store.health.findings import Finding, MonitorAge

CRITICAL = "critical"
GROUPS = ("data pipeline", "strategies", "ml", "risk", "error recovery", "edge cases", "load")
RECOVERY = "error recovery"


def document(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain values."""
    return {
        "name": finding.name, "group": finding.group, "severity": finding.severity, "observed": finding.observed,
        "limit": finding.limit, "ok": finding.ok, "since": finding.since.isoformat(), "advice": finding.advice,
    }  # fmt: skip


def overall(findings: Sequence[Finding]) -> str:
    """Return fail where anything critical does not hold, warn where anything else does not, otherwise pass."""
    failing = [each.severity for each in findings if not each.ok]
    return "fail" if CRITICAL in failing else "warn" if failing else "pass"


def monitor_finding(age: MonitorAge, now: datetime) -> Finding:
    """Return whether the monitor itself looks, without which no other finding is worth anything."""
    seconds = age.age_seconds
    return Finding(
        name="monitor looks",
        group=RECOVERY,
        severity=CRITICAL,
        observed="it has never looked" if seconds is None else f"{max(seconds, 0.0):.0f} s ago",
        limit="at least once" if age.limit_seconds is None else f"{age.limit_seconds:.0f} s",
        ok=age.alive,
        since=age.looked_at or now,
        advice="nothing is watched: look at the log of health_monitor; `tracker up` starts what is not running",
        value=seconds,
    )


def database_finding(reason: str, now: datetime) -> Finding:
    """Return that nothing can be known, since the database cannot be asked."""
    return Finding(
        name="database reachable", group=RECOVERY, severity=CRITICAL, observed=reason, limit="it answers", ok=False,
        since=now, advice="look at the database's own status page or log; `tracker up` starts an embedded one",
    )

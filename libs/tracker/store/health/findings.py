"""What the health monitor found, now and before, and when it last looked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check; `value` is what was observed as a number, where it is one."""

    name: str
    group: str
    severity: str
    observed: str
    limit: str
    ok: bool
    since: datetime
    advice: str
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What was known of a finding before: whether it held, since when, and when that was added to the history."""

    ok: bool
    since: datetime
    kept_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A whole look at the fleet: when it ended, how long it took, how long the monitor rests, what was failing."""

    looked_at: datetime
    every_seconds: float
    seconds: float
    findings: int
    critical: int
    warnings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorAge:
    """Whether the health monitor still looks; `age_seconds` and `limit_seconds` are None where it never did."""

    alive: bool
    looked_at: datetime | None
    age_seconds: float | None
    limit_seconds: float | None


async def read_standings(transaction: Transaction) -> dict[str, Standing]:
    """Return by name what was known as of the last look."""
    return {
        row["name"]: Standing(ok=row["ok"], since=row["since"], kept_at=row["kept_at"])
        for row in await transaction.fetch("health_findings.standings")
    }


async def read_findings(transaction: Transaction) -> list[Finding]:
    """Return everything that was found at the last look."""
    return [Finding(**dict(row.items())) for row in await transaction.fetch("health_findings.all")]


async def read_monitor_age(transaction: Transaction) -> MonitorAge:
    """Return when the monitor last looked at everything."""
    row = await transaction.fetch_row("health_findings.monitor_age")
    assert row is not None  # noqa: S101 - the view has one row always
    return MonitorAge(**dict(row.items()))


async def write_findings(transaction: Transaction, at: datetime, findings: Sequence[Finding]) -> None:
    """Replace what was found at the last look."""
    await transaction.execute("health_findings.write", at, *_columns(findings))
    await transaction.execute("health_findings.forget_others", [each.name for each in findings])


async def keep_findings(transaction: Transaction, at: datetime, findings: Sequence[Finding]) -> None:
    """Add findings, which were written before, to the history."""
    await transaction.execute_many(
        "health_findings.keep",
        [(at, f.name, f.group, f.severity, f.observed, f.limit, f.ok, f.since, f.advice) for f in findings],
    )
    await transaction.execute("health_findings.note_kept", at, [each.name for each in findings])


async def write_look(transaction: Transaction, look: Look) -> None:
    """Note that the monitor has looked at everything."""
    await transaction.execute(
        "health_findings.write_look", look.looked_at, look.every_seconds, look.seconds, look.findings, look.critical,
        look.warnings,
    )


def _columns(findings: Sequence[Finding]) -> tuple[list[object], ...]:
    return (
        [each.name for each in findings],
        [each.group for each in findings],
        [each.severity for each in findings],
        list(range(len(findings))),
        [each.ok for each in findings],
        [each.observed for each in findings],
        [each.limit for each in findings],
        [each.value for each in findings],
        [each.since for each in findings],
        [each.advice for each in findings],
    )

"""The facts that the health monitor judges, and its findings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The state of the pipeline at one moment; None where nothing exists yet."""

    now: datetime
    newest_close: datetime | None
    opened_at: datetime | None
    closed_through: datetime | None
    closed_at: datetime | None
    active_symbols: int
    unsupported_symbols: int
    live_symbols: int
    paper_through: datetime | None
    rejected_last_hour: int
    gap_since: datetime | None
    gap_symbols: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage's watermark beside that of its input, when either last moved, and the length of a bucket."""

    stage: str
    due: datetime
    done: datetime | None
    due_since: datetime
    done_at: datetime | None
    bucket: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check."""

    name: str
    group: str
    severity: str
    observed: str
    limit: str
    ok: bool
    since: datetime
    advice: str


async def read_facts(transaction: Transaction) -> Facts:
    """Return the facts of this moment."""
    row = await transaction.fetch_row("health.facts")
    assert row is not None  # noqa: S101 - the query returns one row always
    return Facts(**dict(row.items()))


async def read_stages(transaction: Transaction) -> list[Stage]:
    """Return how far each stage is."""
    return [Stage(**dict(row.items())) for row in await transaction.fetch("health.stages")]


async def read_last_findings(
    transaction: Transaction, names: Iterable[str]
) -> dict[str, tuple[datetime, bool, datetime]]:
    """Return (kept at, ok, since) of the last kept finding of each named check that has one."""
    return {
        row["name"]: (row["checked_at"], row["ok"], row["since"])
        for row in await transaction.fetch("health.latest_findings", list(names))
    }


async def keep_findings(transaction: Transaction, at: datetime, findings: Iterable[Finding]) -> None:
    """Add findings to the history."""
    await transaction.execute_many(
        "health.keep",
        [(at, f.name, f.group, f.severity, f.observed, f.limit, f.ok, f.since, f.advice) for f in findings],
    )

"""What the overview shows of one account, and of the bars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tracker.store.database import Transaction

Plain = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFacts:
    """An account's last seven days of event time; each tuple is empty where there is nothing."""

    equity: tuple[tuple[datetime, float, float | None], ...]
    positions: tuple[Plain, ...]
    trades: tuple[Plain, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelStep:
    """How many of today's looks of a strategy came to a step; `place` is 1 for scans."""

    strategy: str
    place: int
    step: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How far a timeframe is complete, in event time, and when that was told."""

    timeframe: str
    closed_through: datetime
    updated_at: datetime


async def read_account_facts(transaction: Transaction, account: str) -> AccountFacts:
    """Return the equity curve with its drawdown (a fraction), what is held, and the newest trades."""
    equity = await transaction.fetch("pages_overview.equity", account)
    return AccountFacts(
        equity=tuple((row["ts"], row["equity"], row["drawdown"]) for row in equity),
        positions=tuple(dict(row.items()) for row in await transaction.fetch("pages_overview.positions", account)),
        trades=tuple(dict(row.items()) for row in await transaction.fetch("pages_overview.trades", account)),
    )


async def read_funnel_today(transaction: Transaction, account: str) -> tuple[FunnelStep, ...]:
    """Return how far today's looks came (UTC day of event time)."""
    return tuple(FunnelStep(**dict(row.items())) for row in await transaction.fetch("pages_overview.funnel", account))


async def read_freshness(transaction: Transaction) -> tuple[Freshness, ...]:
    """Return how far each timeframe is complete."""
    return tuple(Freshness(**dict(row.items())) for row in await transaction.fetch("pages_overview.freshness"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One invariant; `severity` is critical, warning or info, `since` when it began to hold or not to."""

    name: str
    group: str
    severity: str
    observed: str
    threshold: str
    ok: bool
    since: datetime
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFacts:
    """Every invariant, what does not hold first; `alive` says whether the monitor still looks, last at `looked_at`."""

    findings: tuple[Finding, ...]
    alive: bool
    looked_at: datetime | None


async def read_health(transaction: Transaction) -> HealthFacts:
    """Return what the health monitor last found."""
    findings = await transaction.fetch("pages_overview.health")
    monitor = await transaction.fetch_row("pages_overview.monitor")
    return HealthFacts(
        findings=tuple(Finding(**dict(row.items())) for row in findings),
        alive=bool(monitor and monitor["alive"]),
        looked_at=monitor["looked_at"] if monitor else None,
    )

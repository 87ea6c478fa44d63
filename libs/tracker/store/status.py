"""The state of the whole pipeline at one moment, for people and for scripts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSign:
    """An instance's last heartbeat; `age_seconds` since it beat, `role` where its replicas differ in one."""

    service: str
    instance: str
    role: str | None
    pid: int
    status: str
    rss_bytes: int
    restarts: int
    age_seconds: float
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How recent a timeframe is; `newest` is a bar open, `age_seconds` since that bar closed."""

    timeframe: str
    newest: datetime | None
    closed_through: datetime | None
    age_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolState:
    """Whether a symbol is followed, why not, and whether its bars keep up with the others'."""

    symbol: str
    status: str
    status_reason: str | None
    live: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanCount:
    """A strategy's looks in the hour up to `closed_through` (event time), and in the clock's last hour."""

    strategy: str
    closed_through: datetime
    event_hour: int
    event_signals: int
    wall_hour: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """A paper account; the figures are None before its first minute."""

    account: str
    currency: str
    ts: datetime | None
    equity: Decimal | None
    realised_pnl: Decimal | None
    unrealised_pnl: Decimal | None
    open_positions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceState:
    """A maintenance task's last ended run; `unfinished` where its slice ended with more to do."""

    task: str
    finished_at: datetime
    seconds: float
    ok: bool
    unfinished: bool
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineStatus:
    """Everything `tracker status` tells from the database."""

    services: tuple[ServiceSign, ...]
    freshness: tuple[Freshness, ...]
    symbols: tuple[SymbolState, ...]
    scans: tuple[ScanCount, ...]
    accounts: tuple[AccountState, ...]
    maintenance: tuple[MaintenanceState, ...]


async def read_signs(transaction: Transaction) -> tuple[ServiceSign, ...]:
    """Return the last heartbeat of every instance, by service."""
    return tuple(ServiceSign(**dict(row.items())) for row in await transaction.fetch("status.services"))


async def read_status(transaction: Transaction) -> PipelineStatus:
    """Return the state of this moment; raises SchemaError before the first migration."""
    freshness = await transaction.fetch("status.freshness")
    symbols = await transaction.fetch("status.symbols")
    scans = await transaction.fetch("status.scans")
    accounts = await transaction.fetch("status.accounts")
    maintenance = await transaction.fetch("status.maintenance")
    return PipelineStatus(
        services=await read_signs(transaction),
        freshness=tuple(Freshness(**dict(row.items())) for row in freshness),
        symbols=tuple(SymbolState(**dict(row.items())) for row in symbols),
        scans=tuple(ScanCount(**dict(row.items())) for row in scans),
        accounts=tuple(AccountState(**dict(row.items())) for row in accounts),
        maintenance=tuple(MaintenanceState(**dict(row.items())) for row in maintenance),
    )

"""What stands on every page: the services' state and the accounts to choose from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A paper account and how it stands, in its currency; returns and drawdown are fractions.

    The state and the figures are None before its first minute. Today is the UTC day of event time.
    """

    account: str
    currency: str
    opened_at: datetime
    as_of: datetime | None
    state: str | None
    state_until: datetime | None
    equity: float | None
    gain: float | None
    net_return: float | None
    realised_pnl: float | None
    unrealised_pnl: float | None
    fees: float | None
    pnl_today: float | None
    return_today: float | None
    drawdown: float | None
    open_positions: int | None
    trades_today: int
    wins_today: int
    trades: int
    wins: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """An instance's last sign of life; `state` is pass, warn, fail, stopped or silent."""

    service: str
    instance: str
    role: str | None
    pid: int
    state: str
    started_at: datetime
    beat_at: datetime
    rss_bytes: int
    restarts: int
    problem: str | None

    @property
    def is_well(self) -> bool:
        """Whether it runs and does its work."""
        return self.state == "pass"


async def read_accounts(transaction: Transaction) -> tuple[Account, ...]:
    """Return every account, the oldest first."""
    return tuple(Account(**dict(row.items())) for row in await transaction.fetch("pages_shell.accounts"))


async def read_services(transaction: Transaction) -> tuple[ServiceState, ...]:
    """Return every instance of every service."""
    return tuple(ServiceState(**dict(row.items())) for row in await transaction.fetch("pages_shell.services"))

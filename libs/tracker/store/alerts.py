"""What is alerted, and the facts that are: one row a fact, however often it goes bad."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any

from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A fact that is or was bad, as tracker.alerts says; `gathered`: its message tells of others, too."""

    fingerprint: str
    name: str
    group: str
    severity: str
    state: str
    observed: str
    limit: str
    advice: str
    bad_since: datetime
    good_since: datetime | None = None
    first_at: datetime | None = None
    last_at: datetime
    recovered_at: datetime | None = None
    episodes: int = 0
    repeats: int = 0
    told_at: datetime | None = None
    quiet_until: datetime | None = None
    root_id: int | None = None
    gathered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingState:
    """Whether an account may trade: ACTIVE, REDUCING (nothing is bought) or HALTED, and why."""

    account: str
    state: str
    state_until: datetime | None
    note: str


async def read_alerts(transaction: Transaction) -> list[Alert]:
    """Return every alert, the first that was told first."""
    found = [dict(row.items()) for row in await transaction.fetch("alerts.read")]
    return [Alert(group=row.pop("alert_group"), limit=row.pop("threshold"), **row) for row in found]


async def write_alert(transaction: Transaction, alert: Alert) -> None:
    """Write an alert as it stands now."""
    await transaction.execute("alerts.write", *astuple(alert)[:-1])


async def remove_alert(transaction: Transaction, fingerprint: str) -> None:
    """Forget a fact that was never told."""
    await transaction.execute("alerts.remove", fingerprint)


async def forget_alerts(transaction: Transaction, before: datetime) -> None:
    """Forget what has been well since before a moment."""
    await transaction.execute("alerts.forget", before)


async def read_last_look(transaction: Transaction) -> datetime | None:
    """Return when the health monitor last completed a look, None where it never did."""
    return await transaction.fetch_value("alerts.last_look")


async def read_trading_states(transaction: Transaction) -> list[TradingState]:
    """Return whether each account may trade."""
    return [TradingState(**dict(row.items())) for row in await transaction.fetch("alerts.trading")]


async def read_model_changes(transaction: Transaction, since: datetime) -> list[dict[str, Any]]:
    """Return promotions, roll-backs, demotions and retirements since a moment."""
    return [dict(row.items()) for row in await transaction.fetch("alerts.model_events", since)]

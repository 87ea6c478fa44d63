"""Leases: rows that say who may act alone, compared and set by the database's own clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRow:
    """Who holds a lease; `valid` tells whether it has not expired."""

    holder: str
    service: str
    acquired_at: datetime
    expires_at: datetime
    valid: bool


async def acquire_lease(transaction: Transaction, name: str, service: str, holder: str, ttl: timedelta) -> bool:
    """Take a lease that is free, expired or one's own; tell whether it was had.

    Waits for a commit of its last holder that is under way; from then on that holder's commits fail.
    """
    await transaction.execute("leases.expire", name, holder)
    return await transaction.fetch_row("leases.acquire", name, service, holder, ttl) is not None


async def renew_lease(transaction: Transaction, name: str, holder: str, ttl: timedelta) -> bool:
    """Prolong a lease that nobody else has taken meanwhile; tell whether it is still one's own."""
    return await transaction.fetch_row("leases.renew", name, holder, ttl) is not None


async def release_lease(transaction: Transaction, name: str, holder: str) -> None:
    """Give a lease back; another's is left alone."""
    await transaction.execute("leases.release", name, holder)


async def confirm_lease(transaction: Transaction, name: str, holder: str) -> bool:
    """Tell whether the lease is one's own, and keep it so until the transaction ends."""
    return await transaction.fetch_row("leases.confirm", name, holder) is not None


async def read_lease(transaction: Transaction, name: str) -> LeaseRow | None:
    """Return who holds a lease, None where nobody ever did or it was given back."""
    row = await transaction.fetch_row("leases.read", name)
    return None if row is None else LeaseRow(**dict(row))

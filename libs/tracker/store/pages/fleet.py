"""What the page of the fleet shows beside its services."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tracker.store.database import Transaction

Plain = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFacts:
    """Leases, the last tries of jobs, open alerts, and what was done on the page; the newest first."""

    leases: tuple[Plain, ...]
    jobs: tuple[Plain, ...]
    alerts: tuple[Plain, ...]
    audit: tuple[Plain, ...]


async def read_fleet(transaction: Transaction) -> FleetFacts:
    """Return the same as of now."""
    found = {
        name: tuple(dict(row.items()) for row in await transaction.fetch(f"pages_fleet.{name}"))
        for name in ("leases", "jobs", "alerts", "audit")
    }
    return FleetFacts(**found)

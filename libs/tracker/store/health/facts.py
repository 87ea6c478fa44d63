"""What the facts of every group have: the moment at which they were true."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Facts that were read at `now`, by the clock of the database."""

    now: datetime

    def age(self, moment: datetime | None) -> float | None:
        """Return how many seconds before `now` a moment was, None where there was none."""
        return None if moment is None else (self.now - moment).total_seconds()


async def read_now(transaction: Transaction) -> datetime:
    """Return when the transaction began, by the clock of the database."""
    return await transaction.fetch_value("health_findings.now")


async def limit_time(transaction: Transaction, seconds: float) -> None:
    """Have every statement of the transaction end after so many seconds, as DatabaseUnavailableError."""
    await transaction.fetch_value("health_findings.limit_time", f"{max(int(seconds * 1000), 1)}ms")

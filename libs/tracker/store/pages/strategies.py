"""What the page Strategies shows beside what looks and their stages tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The model that decides for a strategy."""

    strategy: str
    model_id: int
    promoted_at: datetime | None


async def read_champions(transaction: Transaction) -> tuple[Champion, ...]:
    """Return the deciding models of the strategies that have one."""
    return tuple(Champion(**dict(row.items())) for row in await transaction.fetch("pages_strategies.champions"))

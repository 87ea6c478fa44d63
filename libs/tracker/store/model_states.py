"""Which model decides for each strategy, and what the last look at it said; without the arrays of its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """A strategy that scans, and its champion; None where it has none, or none was looked at yet.

    `demoted_id` failed and gave its place to what decides now; None where that came to decide otherwise.
    """

    strategy: str
    closed_through: datetime
    model_id: int | None
    promoted_at: datetime | None
    known_from: datetime | None
    watched_at: datetime | None
    action: str | None
    criteria: Sequence[Mapping[str, Any]]
    demoted_at: datetime | None = None
    demoted_id: int | None = None
    demoted_for: str | None = None


async def read_model_states(transaction: Transaction) -> list[ModelState]:
    """Return every strategy that scans with its champion and what the last look at that one said."""
    return [
        ModelState(**{**dict(row.items()), "criteria": orjson.loads(row["criteria"] or "[]")})
        for row in await transaction.fetch("model_performance.states")
    ]

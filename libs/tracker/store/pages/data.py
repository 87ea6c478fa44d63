"""What the page of the data shows: how far stages have come, what is missing, and what it all takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tracker.store.database import Transaction

Plain = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowFacts:
    """Stages and gaps: `gap_states` has a row a state with the number of ranges and their minutes."""

    watermarks: tuple[Plain, ...]
    gaps: tuple[Plain, ...]
    gap_states: tuple[Plain, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What changes by the hour: history fetched, months, sizes, upkeep, and bars that were not believed."""

    backfills: tuple[Plain, ...]
    partitions: tuple[Plain, ...]
    sizes: tuple[Plain, ...]
    tasks: tuple[Plain, ...]
    rejected: tuple[Plain, ...]


async def read_flow(transaction: Transaction) -> FlowFacts:
    """Return how far the stages have come, and what is missing."""
    return FlowFacts(**{name: await _rows(transaction, name) for name in FlowFacts.__slots__})


async def read_stored(transaction: Transaction) -> StoreFacts:
    """Return what the database holds and how it is kept."""
    return StoreFacts(**{name: await _rows(transaction, name) for name in StoreFacts.__slots__})


async def _rows(transaction: Transaction, name: str) -> tuple[Plain, ...]:
    return tuple(dict(row.items()) for row in await transaction.fetch(f"pages_data.{name}"))

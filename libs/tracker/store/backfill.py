"""The plan of history to fetch, chunk by chunk, so that an interrupted backfill resumes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tracker.domain.timeframe import Timeframe
from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One request's worth of history of one symbol."""

    symbol_id: int
    symbol: str
    timeframe: Timeframe
    starts_at: datetime
    ends_at: datetime


async def plan_chunks(transaction: Transaction, chunks: Iterable[Chunk]) -> None:
    """Add chunks to the plan; those already there keep their state."""
    await transaction.execute_many(
        "backfill.plan",
        [(each.symbol_id, each.timeframe.value, each.starts_at, each.ends_at) for each in chunks],
    )


async def symbols_planned(transaction: Transaction) -> set[int]:
    """Return the symbols whose start-up history was planned already."""
    return {row["symbol_id"] for row in await transaction.fetch("backfill.symbols_planned")}


async def planned_chunks(transaction: Transaction) -> list[Chunk]:
    """Return what is still to fetch, failed chunks included."""
    return [
        Chunk(
            symbol_id=row["symbol_id"],
            symbol=row["symbol"],
            timeframe=Timeframe(row["timeframe"]),
            starts_at=row["starts_at"],
            ends_at=row["ends_at"],
        )
        for row in await transaction.fetch("backfill.planned")
    ]


async def finish_chunk(
    transaction: Transaction, chunk: Chunk, status: str, bars: int, reason: str | None
) -> None:
    """Note how a chunk ended: 'done' or 'failed'."""
    await transaction.execute(
        "backfill.finish", chunk.symbol_id, chunk.timeframe.value, chunk.starts_at, status, bars, reason
    )

"""The plan of history to fetch, chunk by chunk, so that an interrupted backfill resumes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tracker.domain.timeframe import Timeframe
from tracker.store.database import Transaction


class ChunkStatus(StrEnum):
    """What became of a chunk: `failed` ones are tried again by the next run."""

    PLANNED = "planned"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of one symbol's history: the bars that open in [starts_at, ends_at)."""

    symbol_id: int
    symbol: str
    timeframe: Timeframe
    starts_at: datetime
    ends_at: datetime
    status: ChunkStatus = ChunkStatus.PLANNED
    reason: str | None = None

    @property
    def done(self) -> bool:
        """Whether it is fetched and stored."""
        return self.status is ChunkStatus.DONE


async def plan_chunks(transaction: Transaction, chunks: Iterable[Chunk]) -> None:
    """Add chunks to the plan; those already there keep their state."""
    await transaction.execute_many("backfill.plan", [(*_key(each), each.ends_at) for each in chunks])


async def read_chunks(transaction: Transaction, timeframes: Sequence[Timeframe]) -> list[Chunk]:
    """Return every chunk of these timeframes, the coarse ones first, then the newest."""
    return [
        Chunk(
            symbol_id=row["symbol_id"],
            symbol=row["symbol"],
            timeframe=Timeframe(row["timeframe"]),
            starts_at=row["starts_at"],
            ends_at=row["ends_at"],
            status=ChunkStatus(row["status"]),
            reason=row["reason"],
        )
        for row in await transaction.fetch("backfill.known", [each.value for each in timeframes])
    ]


async def plan_again(transaction: Transaction, chunks: Iterable[Chunk]) -> None:
    """Take finished chunks back into the plan."""
    await transaction.execute_many("backfill.plan_again", [_key(each) for each in chunks])


async def finish_chunk(
    transaction: Transaction, chunk: Chunk, status: ChunkStatus, bars: int, reason: str | None = None
) -> None:
    """Note how a chunk ended, and how many bars it brought that were not there."""
    await transaction.execute("backfill.finish", *_key(chunk), status.value, bars, reason)


def _key(chunk: Chunk) -> tuple[int, str, datetime]:
    return chunk.symbol_id, chunk.timeframe.value, chunk.starts_at

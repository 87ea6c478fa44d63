"""One piece of history: fetched, judged, merged and ticked off in one transaction."""

from __future__ import annotations

from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import Timeframe
from tracker.store.backfill import Chunk, ChunkStatus, finish_chunk
from tracker.store.bar_checks import in_order, rows_of, split_table
from tracker.store.bars import BarTable
from tracker.store.database import Database
from tracker.store.imports import Merged, commit_lazily, merge_history, reject_many, roll_missing

from services.data_collector.feeds.base import Feed


async def load_chunk(feed: Feed, database: Database, chunk: Chunk, instrument: Instrument) -> Merged:
    """Fetch a chunk and store it; minutes bring their 5m bars, for which the vendor is not asked.

    Raises FeedError, and then the chunk is as it was.
    """
    fetched = await feed.history(instrument, chunk.timeframe, chunk.starts_at, chunk.ends_at)
    kept, defects = split_table(
        _within(fetched, chunk), chunk.symbol, chunk.timeframe, f"{feed.vendor} rest"
    )
    async with database.transaction() as transaction:
        # The bars and the tick are lost together or not at all, and what is lost is fetched again.
        await commit_lazily(transaction)
        await reject_many(transaction, defects)
        merged = await merge_history(transaction, chunk.symbol_id, chunk.timeframe, kept)
        if chunk.timeframe is Timeframe.M1 and merged.new:
            first, end = Timeframe.M5.floor(chunk.starts_at), Timeframe.M5.floor(chunk.ends_at)
            await roll_missing(transaction, chunk.symbol_id, Timeframe.M1, Timeframe.M5, first, end)
        await finish_chunk(transaction, chunk, ChunkStatus.DONE, merged.new)
        await transaction.commit()
    return merged


async def note_failure(database: Database, chunk: Chunk, reason: str) -> None:
    """Note why a chunk could not be fetched; it stays to be fetched."""
    async with database.transaction() as transaction:
        await finish_chunk(transaction, chunk, ChunkStatus.FAILED, 0, reason)
        await transaction.commit()


def _within(table: BarTable, chunk: Chunk) -> BarTable:
    first, end = chunk.starts_at.timestamp(), chunk.ends_at.timestamp()
    inside = (table.ts >= first) & (table.ts < end)
    return in_order(table if inside.all() else rows_of(table, inside))

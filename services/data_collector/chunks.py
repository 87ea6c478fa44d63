"""One piece of history: fetched, judged, merged and ticked off in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import Timeframe
from tracker.store.backfill import Chunk, ChunkStatus, finish_chunk
from tracker.store.bar_checks import in_order, rows_of, split_table
from tracker.store.bars import BarTable, Rejection
from tracker.store.database import Database, Transaction
from tracker.store.gaps import Expected, GapCause, confirm_history, open_missing
from tracker.store.imports import Merged, commit_lazily, merge_history, reject_many, roll_missing

from services.data_collector.feeds.base import Feed
from services.data_collector.gaps import around


async def load_chunk(
    feed: Feed, database: Database, chunk: Chunk, instrument: Instrument, settled: datetime | None = None
) -> Merged:
    """Fetch a chunk and store it; minutes bring their 5m bars, for which the vendor is not asked.

    The vendor is believed to know all bars that end by `settled` (None: all of the chunk): the ledger says of what it
    does not bring that it had no trades, and of the rest that it is missing.
    Raises FeedError, and then the chunk is as it was.
    """
    fetched = await feed.history(instrument, chunk.timeframe, chunk.starts_at, chunk.ends_at)
    kept, defects = split_table(
        _within(fetched, chunk), chunk.symbol, chunk.timeframe, f"{feed.vendor} rest"
    )
    reach = feed.reach(chunk.timeframe)
    oldest = chunk.starts_at if reach is None else await feed.now() - reach
    async with database.transaction() as transaction:
        # The bars and the tick are lost together or not at all, and what is lost is fetched again.
        await commit_lazily(transaction)
        await reject_many(transaction, defects)
        whole = (chunk.starts_at, chunk.ends_at)
        merged = await merge_history(transaction, chunk.symbol_id, chunk.timeframe, kept, whole=whole)
        if chunk.timeframe is Timeframe.M1 and merged.new:
            first, end = Timeframe.M5.floor(chunk.starts_at), Timeframe.M5.floor(chunk.ends_at)
            await roll_missing(transaction, chunk.symbol_id, Timeframe.M1, Timeframe.M5, first, end)
        await finish_chunk(transaction, chunk, ChunkStatus.DONE, merged.new)
        if chunk.timeframe is instrument.base_timeframe:
            await _account(transaction, chunk, oldest, settled or chunk.ends_at, defects)
        await transaction.commit()
    return merged


async def _account(
    transaction: Transaction, chunk: Chunk, oldest: datetime, settled: datetime, defects: Sequence[Rejection]
) -> None:
    """Enter into the ledger what the chunk does not hold; last in its transaction, for others wait for the ledger."""
    step, symbol = chunk.timeframe.duration, Expected(symbol_ids=[chunk.symbol_id])
    begin = chunk.starts_at
    if oldest > begin:
        begin = min(chunk.timeframe.floor(oldest) + step, chunk.ends_at)
    known = max(min(chunk.ends_at, chunk.timeframe.floor(settled)), begin)
    refused = [each.ts for each in defects if each.ts is not None]
    if chunk.starts_at < begin:
        await open_missing(transaction, symbol, chunk.starts_at, begin, GapCause.HISTORY)
    for first, end in around(begin, known, refused, step):
        await confirm_history(transaction, chunk.symbol_id, chunk.timeframe, first, end)
    for moment in refused:
        await open_missing(transaction, symbol, moment, moment + step, GapCause.REJECTED)
    if known < chunk.ends_at:
        await open_missing(transaction, symbol, known, chunk.ends_at, GapCause.LATE)


async def note_failure(database: Database, chunk: Chunk, reason: str) -> None:
    """Note why a chunk could not be fetched; it stays to be fetched."""
    async with database.transaction() as transaction:
        await finish_chunk(transaction, chunk, ChunkStatus.FAILED, 0, reason)
        await transaction.commit()


def _within(table: BarTable, chunk: Chunk) -> BarTable:
    first, end = chunk.starts_at.timestamp(), chunk.ends_at.timestamp()
    inside = (table.ts >= first) & (table.ts < end)
    return in_order(table if inside.all() else rows_of(table, inside))

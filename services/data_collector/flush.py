"""One transaction of the collector: store a batch, re-roll what came late, close what is complete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tracker.domain.bar import Bar
from tracker.domain.timeframe import Timeframe
from tracker.store.bars import (
    Rejection,
    Stored,
    advance_watermark,
    ensure_partitions,
    read_watermarks,
    reject,
    roll_up,
    upsert_bars,
)
from tracker.store.database import Transaction
from tracker.store.gaps import Expected, account_for, covers

from services.data_collector.buffer import Item

COARSER = (Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.D1)


@dataclass(slots=True)
class Partitions:
    """The months known to have a partition, so that the question is asked once.

    Of old months it is asked every time: meanwhile they may have gone into the archive, from which the question
    brings them back. The archive leaves the newest month and the one before it alone.
    """

    known: set[tuple[int, int]]

    async def ensure(self, transaction: Transaction, moments: Iterable[datetime]) -> set[tuple[int, int]]:
        """Make missing partitions; returns the months to add to `known` once committed."""
        stamps = list(moments)
        months = {(moment.year, moment.month) for moment in stamps} - self._certain()
        for month in sorted(months):
            first = min(moment for moment in stamps if (moment.year, moment.month) == month)
            await ensure_partitions(transaction, first, first)
        return months

    def _certain(self) -> set[tuple[int, int]]:
        newest = max((year * 12 + month for year, month in self.known), default=0)
        return {(year, month) for year, month in self.known if year * 12 + month >= newest - 1}


async def store_batch(
    transaction: Transaction, items: Sequence[Item], symbol_ids: Mapping[str, int], partitions: Partitions
) -> tuple[Stored, set[tuple[int, int]]]:
    """Store bars, keep rejections, and roll the closed buckets that late bars touched up again."""
    bars = [item for item in items if isinstance(item, Bar)]
    await reject(transaction, [item for item in items if isinstance(item, Rejection)])
    months = await partitions.ensure(transaction, [bar.ts for bar in bars])
    stored = await upsert_bars(transaction, bars, symbol_ids)
    if stored.stored:
        await _roll_late(transaction, bars, symbol_ids)
    return stored, months


async def _roll_late(transaction: Transaction, bars: Sequence[Bar], symbol_ids: Mapping[str, int]) -> None:
    watermarks = await read_watermarks(transaction)
    for timeframe in COARSER:
        mark = watermarks.get(timeframe)
        if mark is None:
            continue
        # A bar lies in a closed bucket where it opens before the last boundary: no arithmetic for each bar.
        boundary = timeframe.floor(mark.closed_through)
        # Timeframes compare as text, in which 1m comes after 15m.
        late = [bar for bar in bars if bar.ts < boundary and bar.timeframe.seconds < timeframe.seconds]
        for bucket in sorted({timeframe.floor(bar.ts) for bar in late}):
            touched = {symbol_ids[bar.symbol] for bar in late if timeframe.floor(bar.ts) == bucket}
            await roll_up(transaction, timeframe, bucket, timeframe.close_of(bucket), sorted(touched))


async def close_through(transaction: Transaction, first_open: datetime, moment: datetime, expected: Expected) -> bool:
    """Roll up and declare complete every bucket that ends at or before `moment`; tell whether any was new.

    What of the expected bars is missing stands in the ledger from then on.
    """
    watermarks = await read_watermarks(transaction)
    current = watermarks.get(Timeframe.M1)
    if current is not None and current.closed_through >= moment:
        return False
    opened = current.opened_at if current is not None else first_open
    await account_for(transaction, expected, first_open if current is None else current.closed_through, moment)
    for timeframe in COARSER:
        mark = watermarks.get(timeframe)
        end = timeframe.floor(moment)
        if mark is None and end > timeframe.floor(opened):
            opened_at = await _first_whole(transaction, timeframe, opened, expected)
            first = opened_at
        elif mark is not None:
            opened_at, first = mark.opened_at, mark.closed_through
        else:
            continue
        if end > first:
            await roll_up(transaction, timeframe, first, end)
            await advance_watermark(transaction, timeframe, opened_at, end)
    # The finest last: whoever sees this minute closed also finds the coarser bars that end with it.
    await advance_watermark(transaction, Timeframe.M1, opened, moment)
    return True


async def _first_whole(
    transaction: Transaction, timeframe: Timeframe, opened: datetime, expected: Expected
) -> datetime:
    """Return where the first bucket opens that is collected from its beginning on, be it as history."""
    bucket = timeframe.floor(opened)
    if expected.nothing_before or bucket == opened or await covers(transaction, expected, bucket, opened, timeframe):
        return bucket
    return timeframe.close_of(bucket)


async def roll_open_buckets(transaction: Transaction, moment: datetime) -> None:
    """Roll up what the end of a history leaves of its last buckets; they stay undeclared, so nobody decides on them."""
    for timeframe in COARSER:
        bucket = timeframe.floor(moment)
        if bucket < moment:
            await roll_up(transaction, timeframe, bucket, timeframe.close_of(bucket))

"""Runs of bars from elsewhere, merged by COPY: new ones in, differing ones corrected, roll-ups kept true."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import numpy as np
from numpy.typing import NDArray

from tracker.domain.bar import BarSource
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.store.bar_arrays import POSTGRES_EPOCH_SECONDS
from tracker.store.bars import BarTable, Rejection, ensure_partitions, roll_up
from tracker.store.database import Transaction

# Another writer may put a bar between the look and the insert; it wins and the look is repeated.
ATTEMPTS = 5
# The buckets rolled up by one statement, which compares each with each where nothing is known of their number.
BUCKETS_AT_ONCE = 500
_COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_TRAILER = b"\xff\xff"
_NONE: NDArray[np.int64] = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What a merge did: bars that are new, bars that replaced another, and roll-ups made anew because of them.

    `touched` are the opens of the first two, int64 Unix seconds.
    """

    new: int = 0
    corrected: int = 0
    rerolled: int = 0
    touched: NDArray[np.int64] = field(default_factory=lambda: _NONE)


async def merge_history(
    transaction: Transaction,
    symbol_id: int,
    timeframe: Timeframe,
    bars: BarTable,
    source: BarSource = BarSource.REST,
    whole: tuple[datetime, datetime] = (EPOCH, EPOCH),
) -> Merged:
    """Merge bars of one symbol, ascending and each open once; `whole` is a span in which these leave none out.

    A stored bar that differs is corrected and kept in `bar_revisions`, and so is one that comes late into what is
    declared complete. A coarse bar rolled up from finer ones is not replaced, but rolled up again where these changed.
    So is a vendor's, where corrected or imported bars make it up: a coarse bar says what the finest bars say.
    """
    if len(bars) == 0:
        return Merged()
    first, last = _moment(int(bars.ts[0])), _moment(int(bars.ts[-1]))
    await make_months(transaction, bars.ts)
    await transaction.execute("imports.create_staging")
    await transaction.connection.copy_to_table(
        "bar_staging", source=io.BytesIO(_encode(symbol_id, timeframe, bars)), format="binary"
    )
    await transaction.execute("imports.note_late", first, last, symbol_id, timeframe.value)
    new, corrected = await _move(transaction, symbol_id, timeframe, bars, source)
    await transaction.connection.execute("DROP TABLE bar_staging")
    touched = np.sort(np.concatenate((new, corrected)))
    if len(touched) == 0:
        return Merged()
    await transaction.execute("imports.raise_latest", symbol_id, timeframe.value, first, last)
    doubtful = touched if source is BarSource.IMPORT else corrected
    rerolled = await _reroll(transaction, symbol_id, timeframe, whole, touched, doubtful)
    return Merged(new=len(new), corrected=len(corrected), rerolled=rerolled, touched=touched)


async def make_months(transaction: Transaction, moments: NDArray[np.int64]) -> None:
    """Make the monthly partitions for bars that open at these Unix seconds."""
    months = np.unique(moments.astype("datetime64[s]").astype("datetime64[M]")).astype("datetime64[s]")
    firsts = [_moment(int(month)) for month in months.astype(np.int64)]
    for row in await transaction.fetch("imports.months_missing", firsts):
        await ensure_partitions(transaction, row["month"], row["month"])


async def commit_lazily(transaction: Transaction) -> None:
    """Let the commit of this transaction not wait for the disk; for work that is done again where it is lost."""
    await transaction.execute("imports.commit_lazily")


async def roll_missing(
    transaction: Transaction, symbol_id: int, base: Timeframe, target: Timeframe, first: datetime, end: datetime
) -> int:
    """Roll bars up to the buckets of `target` in [first, end) that have none yet; return how many were made."""
    if end <= first:
        return 0
    last = end - timedelta(microseconds=1)
    made = await transaction.fetch_value(
        "imports.roll_missing", symbol_id, base.value, target.value, first, end, target.duration
    )
    if made:
        await transaction.execute("imports.raise_latest", symbol_id, target.value, first, last)
    return made


async def covered_span(
    transaction: Transaction, symbol_id: int, base: Timeframe, target: Timeframe, first: datetime, last: datetime
) -> tuple[datetime, datetime]:
    """Return the span of whole buckets of `target` that bars opening from `first` to `last` make up.

    The buckets at both ends, which these bars cover in part, count where the bucket's outermost bars are stored.
    """
    begin, end = target.floor(first), target.close_of(target.floor(last))
    outermost = [begin, end - base.duration]
    found = {
        row["ts"]
        for row in await transaction.fetch("imports.there", symbol_id, base.value, outermost, begin, end)
    }
    return (
        begin if begin in found else target.close_of(begin),
        end if outermost[1] in found else end - target.duration,
    )


async def reject_many(transaction: Transaction, rejections: Sequence[Rejection]) -> int:
    """Keep rejections in one statement and return how many were not known yet."""
    if not rejections:
        return 0
    columns = zip(
        *((each.source, each.symbol, each.timeframe, each.ts, each.reason, each.frame) for each in rejections),
        strict=True,
    )
    return await transaction.execute("imports.reject", *(list(column) for column in columns))


async def _move(
    transaction: Transaction, symbol_id: int, timeframe: Timeframe, bars: BarTable, source: BarSource
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Move the staged bars into the table; return the opens of the new and of the corrected ones."""
    first, last = _moment(int(bars.ts[0])), _moment(int(bars.ts[-1]))
    for attempt in range(1, ATTEMPTS + 1):
        await transaction.connection.execute("SAVEPOINT merging")
        try:
            if not await transaction.fetch_value("imports.any_there", symbol_id, timeframe.value, first, last):
                await transaction.execute("imports.insert_all", source.value)
                return bars.ts, _NONE
            place = (source.value, first, last, symbol_id, timeframe.value)
            await transaction.fetch_value("imports.join_by_hash", "off")
            corrected = await transaction.fetch("imports.replace_differing", *place)
            await transaction.fetch_value("imports.join_by_hash", "on")
            new = await transaction.fetch("imports.insert_missing", *place)
            return _opens(new), _opens(corrected)
        except asyncpg.UniqueViolationError:
            if attempt == ATTEMPTS:
                raise
            await transaction.connection.execute("ROLLBACK TO SAVEPOINT merging")
    raise AssertionError("unreachable")


async def _reroll(
    transaction: Transaction,
    symbol_id: int,
    base: Timeframe,
    whole: tuple[datetime, datetime],
    touched: NDArray[np.int64],
    doubtful: NDArray[np.int64],
) -> int:
    """Roll stored roll-ups of touched bars up again, and vendor's bars of doubtful ones; return how many changed."""
    coarser = [each for each in Timeframe if each.seconds > base.seconds]
    if not coarser:
        return 0
    first = Timeframe.D1.floor(_moment(int(touched[0])))
    end = _moment(int(touched[-1])) + Timeframe.D1.duration
    names = [each.value for each in coarser]
    found = await transaction.fetch(
        "imports.coarse_there", symbol_id, names, first, end, base.value, *whole, len(doubtful) > 0
    )
    changed = 0
    for timeframe in coarser:
        mine = [row for row in found if row["timeframe"] == timeframe.value]
        buckets = np.union1d(
            _buckets(touched, timeframe, [row["ts"] for row in mine if row["rolled"]]),
            _buckets(doubtful, timeframe, [row["ts"] for row in mine if not row["rolled"]]),
        )
        for begin, stop in _runs(buckets, timeframe.seconds):
            changed += await roll_up(transaction, timeframe, _moment(begin), _moment(stop), [symbol_id])
    return changed


def _buckets(opens: NDArray[np.int64], timeframe: Timeframe, stored: Sequence[int]) -> NDArray[np.int64]:
    """Return the stored buckets that hold any of the opens."""
    seconds = timeframe.seconds
    return np.intersect1d(np.unique(opens // seconds * seconds), np.array(stored, dtype=np.int64))


def _runs(buckets: NDArray[Any], seconds: int) -> Iterable[tuple[int, int]]:
    """Yield [begin, end) of consecutive buckets, at most BUCKETS_AT_ONCE of them."""
    if len(buckets) == 0:
        return
    breaks = np.flatnonzero(np.diff(buckets) != seconds) + 1
    for run in np.split(buckets, breaks):
        for start in range(0, len(run), BUCKETS_AT_ONCE):
            piece = run[start : start + BUCKETS_AT_ONCE]
            yield int(piece[0]), int(piece[-1]) + seconds


def _opens(rows: Sequence[Any]) -> NDArray[np.int64]:
    return np.array([row["ts"] for row in rows], dtype=np.int64)


def _moment(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def _encode(symbol_id: int, timeframe: Timeframe, bars: BarTable) -> bytes:
    """Write bars in Postgres' binary COPY format: of each row a column count, then length and value each."""
    label = timeframe.value.encode()
    columns = [("symbol_id", ">i2", 2), ("timeframe", f"S{len(label)}", len(label)), ("ts", ">i8", 8)]
    columns += [(name, ">f8", 8) for name in ("open", "high", "low", "close", "volume", "vwap")]
    columns += [("trades", ">i4", 4)]
    kinds: list[tuple[str, str]] = [("count", ">i2")]
    for name, kind, _ in columns:
        kinds += [(f"{name}_length", ">i4"), (name, kind)]
    rows = np.zeros(len(bars), dtype=np.dtype(kinds))
    rows["count"] = len(columns)
    for name, _, length in columns:
        rows[f"{name}_length"] = length
    rows["symbol_id"], rows["timeframe"] = symbol_id, label
    rows["ts"] = (bars.ts - POSTGRES_EPOCH_SECONDS) * 1_000_000
    for name in ("open", "high", "low", "close", "volume"):
        rows[name] = getattr(bars, name)
    rows["vwap"] = np.nan if bars.vwap is None else bars.vwap
    rows["trades"] = 0 if bars.trades is None else bars.trades
    return _COPY_HEADER + rows.tobytes() + _COPY_TRAILER

"""Bars: written in one statement, rolled up in SQL, declared complete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from tracker.domain.bar import Bar
from tracker.domain.timeframe import Timeframe
from tracker.store.database import Transaction

BARS_CHANNEL = "tracker_bars"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """How far a timeframe is collected: decisions start at `opened_at`, all is complete to `closed_through`."""

    timeframe: Timeframe
    opened_at: datetime
    closed_through: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What an upsert did: new or changed rows, and how many of them replaced another bar."""

    stored: int
    corrected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A bar or frame that was not believed, why, and in what words it came.

    `whole_frame`: nothing of the frame could be read, so any symbol's bar may be missing.
    """

    source: str
    reason: str
    frame: str
    symbol: str | None = None
    timeframe: str | None = None
    ts: datetime | None = None
    whole_frame: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BarTable:
    """Bars of one symbol as columns: `ts` int64 Unix seconds of the open, the rest float64.

    `unreadable` says of opens at which the vendor sent no numbers, and NaN stand here, what it sent.
    """

    ts: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    vwap: NDArray[np.float64] | None = None
    trades: NDArray[np.int32] | None = None
    unreadable: Mapping[int, str] = field(default_factory=dict[int, str])

    def __len__(self) -> int:
        """Number of bars."""
        return len(self.ts)


async def upsert_bars(transaction: Transaction, bars: Sequence[Bar], symbol_ids: Mapping[str, int]) -> Stored:
    """Store bars with `latest_bar`; of several for one bucket the last counts.

    A changed bar keeps its predecessor in `bar_revisions`. The partitions must exist.
    """
    unique = {(bar.symbol, bar.timeframe, bar.ts): bar for bar in bars}
    if not unique:
        return Stored(stored=0, corrected=0)
    chosen = list(unique.values())
    moments = [bar.ts for bar in chosen]
    row = await transaction.fetch_row(
        "bars.upsert",
        [symbol_ids[bar.symbol] for bar in chosen],
        [bar.timeframe.value for bar in chosen],
        moments,
        [bar.open for bar in chosen],
        [bar.high for bar in chosen],
        [bar.low for bar in chosen],
        [bar.close for bar in chosen],
        [bar.volume for bar in chosen],
        [bar.vwap for bar in chosen],
        [bar.trades for bar in chosen],
        [bar.source.value for bar in chosen],
        min(moments),
        max(moments),
    )
    return Stored(stored=row["stored"] if row else 0, corrected=row["corrected"] if row else 0)


async def ensure_partitions(transaction: Transaction, first: datetime, last: datetime) -> int:
    """Make the monthly partitions from `first` to `last`; return how many were missing."""
    return await transaction.fetch_value("bars.ensure_partitions", first, last)


async def roll_up(
    transaction: Transaction,
    timeframe: Timeframe,
    first: datetime,
    end: datetime,
    symbol_ids: Iterable[int] | None = None,
) -> int:
    """Build the bars of `timeframe` that open in [first, end) from finer ones; return rows written."""
    if end <= first:
        return 0
    await ensure_partitions(transaction, first, end)
    chosen = None if symbol_ids is None else list(symbol_ids)
    return await transaction.fetch_value(
        "bars.roll_up", timeframe.value, first, end, chosen, timeframe.duration
    )


async def advance_watermark(
    transaction: Transaction, timeframe: Timeframe, opened_at: datetime, closed_through: datetime
) -> None:
    """Declare everything up to `closed_through` complete and hint at it."""
    moved = await transaction.execute("bars.advance_watermark", timeframe.value, opened_at, closed_through)
    if moved:
        await transaction.notify(BARS_CHANNEL, f"{timeframe} {closed_through.isoformat()}")


async def read_watermarks(transaction: Transaction) -> dict[Timeframe, Watermark]:
    """Return the watermark of each timeframe that has one."""
    return {
        Timeframe(row["timeframe"]): Watermark(
            timeframe=Timeframe(row["timeframe"]),
            opened_at=row["opened_at"],
            closed_through=row["closed_through"],
        )
        for row in await transaction.fetch("bars.watermarks")
    }


async def read_latest(transaction: Transaction, timeframe: Timeframe) -> list[Bar]:
    """Return the newest bar of each symbol that has one."""
    return [
        Bar(
            symbol=row["symbol"],
            timeframe=timeframe,
            ts=row["ts"],
            open=row["open"],
            high=row["high"],
            low=row["low"],
            close=row["close"],
            volume=row["volume"],
        )
        for row in await transaction.fetch("bars.latest", timeframe.value)
    ]


async def read_resume_point(transaction: Transaction) -> datetime | None:
    """Return the moment after which bars may be missing; None where nothing was ever collected."""
    return await transaction.fetch_value("bars.resume_point")


async def reject(transaction: Transaction, rejections: Iterable[Rejection]) -> None:
    """Keep rejected bars with their reasons; a bar refused before for the same reason is not noted again."""
    rows = [(each.source, each.symbol, each.timeframe, each.ts, each.reason, each.frame) for each in rejections]
    # Even nothing would be sent to the server, with every minute.
    if rows:
        await transaction.execute_many("bars.reject", rows)


async def count_bars(transaction: Transaction) -> dict[str, dict[str, int]]:
    """Return the number of stored bars by symbol and timeframe."""
    counts: dict[str, dict[str, int]] = {}
    for row in await transaction.fetch("bars.count_by_symbol"):
        counts.setdefault(row["symbol"], {})[row["timeframe"]] = row["bars"]
    return counts


async def count_rejected(transaction: Transaction) -> int:
    """Return how many bars were rejected."""
    return await transaction.fetch_value("bars.count_rejected")

"""Months of bars, rewritten in the order of their key: in place, or into the archive."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import asyncpg

from tracker.domain.errors import TrackerError
from tracker.store.database import Transaction


class MonthInUseError(TrackerError):
    """The tables of bars are being read or written for longer than one would wait."""

    retryable = True


class Purpose(StrEnum):
    """Where a rewritten month goes: back to its place, or into the archive."""

    CLUSTER = "cluster"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True, kw_only=True)
class BarMonth:
    """A month of ohlc_data, [month, ends_at).

    `rows` is the planner's guess (-1: none yet), `clustered_rows` what the last clustering counted, `in_work` the
    purpose of a copy in the making, `filling` whether a backfill is not through with the month.
    """

    month: datetime
    ends_at: datetime
    rows: int
    clustered_rows: int | None
    in_work: Purpose | None
    filling: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a copy is; `sealed` means complete and counted, and only then is there a checksum."""

    purpose: Purpose
    sealed: bool
    rows: int
    checksum: Decimal | None
    copied_symbols: int
    symbols: int


async def read_months(transaction: Transaction) -> list[BarMonth]:
    """Return the months of ohlc_data, oldest first."""
    return [
        BarMonth(
            month=row["month"],
            ends_at=row["ends_at"],
            rows=row["rows"],
            clustered_rows=row["clustered_rows"],
            in_work=None if row["in_work"] is None else Purpose(row["in_work"]),
            filling=row["filling"],
        )
        for row in await transaction.fetch("archive.months")
    ]


async def read_progress(transaction: Transaction, month: datetime) -> Progress | None:
    """Return how far the copy of a month is; None where none is in the making."""
    row = await transaction.fetch_row("archive.progress", month)
    if row is None:
        return None
    return Progress(
        purpose=Purpose(row["purpose"]),
        sealed=row["status"] == "sealed",
        rows=row["rows"],
        checksum=row["checksum"],
        copied_symbols=row["copied_symbols"],
        symbols=row["symbols"],
    )


async def make_months(transaction: Transaction, first: datetime, last: datetime, patience: timedelta) -> int:
    """Make the monthly tables from `first` to `last`; return how many were missing.

    Raises MonthInUseError where ohlc_data cannot be had within `patience`: everybody would wait behind.
    """
    async with _waiting(transaction, patience, "the months of bars"):
        return await transaction.fetch_value("bars.ensure_partitions", first, last)


async def begin_rewrite(transaction: Transaction, month: datetime, purpose: Purpose, patience: timedelta) -> None:
    """Begin a copy of a closed month; nobody sees it before `swap_rewrite`. Raises MonthInUseError."""
    async with _waiting(transaction, patience, f"the bars of {month:%Y-%m}"):
        await transaction.execute("archive.begin", month, purpose.value)


async def copy_next_symbol(transaction: Transaction, month: datetime) -> int | None:
    """Copy one symbol's bars of the month and return its id; None where all are copied."""
    return await transaction.run_long("archive.copy_next", month)


async def seal_rewrite(transaction: Transaction, month: datetime, patience: timedelta) -> None:
    """Check and count a copy that has all symbols. Raises MonthInUseError."""
    async with _waiting(transaction, patience, f"the bars of {month:%Y-%m}"):
        await transaction.run_long("archive.seal", month)


async def swap_rewrite(transaction: Transaction, month: datetime, patience: timedelta) -> bool:
    """Verify row count and checksum of original and copy, drop the original and put the copy into place.

    False where the original differs because bars were written meanwhile: `drop_rewrite` then. Raises MonthInUseError
    where the tables cannot be had within `patience`.
    """
    async with _waiting(transaction, patience, f"the bars of {month:%Y-%m}"):
        return await transaction.run_long("archive.swap", month, patience)


async def drop_rewrite(transaction: Transaction, month: datetime, patience: timedelta) -> None:
    """Drop a copy that differs from its month. Raises MonthInUseError."""
    async with _waiting(transaction, patience, f"the bars of {month:%Y-%m}"):
        await transaction.execute("archive.drop_rewrite", month)


@asynccontextmanager
async def _waiting(transaction: Transaction, patience: timedelta, what: str) -> AsyncGenerator[None]:
    try:
        await transaction.fetch_value("maintenance.limit_waits", f"{patience // timedelta(milliseconds=1)}ms")
        yield
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
        raise MonthInUseError(f"{what} are in use: {error}") from error


async def count_months(transaction: Transaction) -> tuple[int, int]:
    """Return how many months lie in ohlc_data and how many in the archive."""
    row = await transaction.fetch_row("archive.count_months")
    return (row["kept"], row["archived"]) if row else (0, 0)

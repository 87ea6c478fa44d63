"""The gap ledger: what is missing among the bars of each symbol, why, and what came of asking for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from tracker.domain.timeframe import Timeframe
from tracker.store.database import Row, Transaction


class GapState(StrEnum):
    """Resolved ones were asked for as a whole: what has no bar there had no trades."""

    OPEN = "open"
    CONFIRMED_EMPTY = "confirmed_empty"
    HEALED = "healed"


class GapCause(StrEnum):
    """Why a bar was missing when its bucket was declared complete."""

    DISCONNECTED = "disconnected"
    OUTAGE = "outage"
    OVERFLOW = "overflow"
    NOT_SENT = "not_sent"
    REJECTED = "rejected"
    LATE = "late"
    VENDOR_FAILED = "vendor_failed"
    HISTORY = "history"


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseSpan:
    """Why bars that open in [starts_at, ends_at) may be missing; `symbol_id` None stands for all symbols."""

    cause: GapCause
    starts_at: datetime
    ends_at: datetime
    symbol_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The symbols of which bars are expected, and why some may be missing.

    `nothing_before`: there is no market before the collecting began, so that its first buckets are whole (a replay).
    """

    symbol_ids: Sequence[int]
    causes: Sequence[CauseSpan] = ()
    nothing_before: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DueGap:
    """A span of one symbol's buckets to ask the vendor for, and how often that failed."""

    symbol_id: int
    timeframe: Timeframe
    starts_at: datetime
    ends_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Buckets that turned out to have a bar, and such that had no trades."""

    healed: int
    empty: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A row of the ledger; `buckets` without a bar, each of `timeframe`, `ends_at` exclusive."""

    symbol: str
    timeframe: Timeframe
    starts_at: datetime
    ends_at: datetime
    state: GapState
    cause: GapCause
    attempts: int
    healed_bars: int
    buckets: int
    last_error: str | None
    detected_at: datetime
    last_attempt_at: datetime | None
    resolved_at: datetime | None

    @property
    def minutes(self) -> int:
        """Minutes without a bar."""
        return self.buckets * self.timeframe.seconds // 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How the expected buckets of one symbol and timeframe are explained."""

    symbol: str
    timeframe: Timeframe
    expected: int
    stored: int
    empty: int
    open: int

    @property
    def unexplained(self) -> int:
        """Buckets that are neither stored nor in the ledger; anything but 0 is an error."""
        return self.expected - self.stored - self.empty - self.open


@dataclass(frozen=True, slots=True, kw_only=True)
class GapQuestion:
    """Which gaps or symbols are asked about: no symbols are all; [first, end)."""

    first: datetime
    end: datetime
    symbols: Sequence[str] = ()
    states: Sequence[GapState] = field(default=tuple(GapState))


async def account_for(transaction: Transaction, expected: Expected, first: datetime, end: datetime) -> int:
    """Write open gaps for what is missing in the buckets that close in (first, end]; return how many buckets are.

    To be called for every span that is declared complete, in the same transaction.
    """
    row = await transaction.fetch_row("gaps.account", *_arguments(expected, first, end, GapCause.NOT_SENT))
    assert row is not None  # noqa: S101 - the query returns one row always
    return row["missing"]


async def open_missing(
    transaction: Transaction, expected: Expected, first: datetime, end: datetime, usual: GapCause
) -> int:
    """Write open gaps for buckets in [first, end) that are neither stored nor known; return how many they are."""
    return await transaction.fetch_value("gaps.open", *_arguments(expected, first, end, usual))


def _arguments(expected: Expected, first: datetime, end: datetime, usual: GapCause) -> tuple[object, ...]:
    causes = expected.causes
    return (
        list(expected.symbol_ids), first, end, usual.value,
        [each.symbol_id for each in causes], [each.starts_at for each in causes],
        [each.ends_at for each in causes], [each.cause.value for each in causes],
    )


async def covers(
    transaction: Transaction, expected: Expected, first: datetime, end: datetime, timeframe: Timeframe
) -> bool:
    """Tell whether bars finer than `timeframe` were asked for in [first, end), of all symbols that have such."""
    return await transaction.fetch_value(
        "gaps.covers", list(expected.symbol_ids), first, end, timeframe.duration
    )


async def read_due(
    transaction: Transaction, symbol_ids: Sequence[int], settled: datetime, longest: timedelta
) -> list[DueGap]:
    """Return what to ask the vendor for now, one span a symbol, of buckets that ended by `settled`."""
    return [
        DueGap(**_typed(row))
        for row in await transaction.fetch("gaps.due", list(symbol_ids), settled, longest)
    ]


async def settle(
    transaction: Transaction, symbol_id: int, timeframe: Timeframe, first: datetime, end: datetime
) -> Settled:
    """Close what is open of [first, end): the vendor was asked for all of it and what it has is stored."""
    row = await transaction.fetch_row("gaps.settle", symbol_id, timeframe.value, first, end)
    assert row is not None  # noqa: S101 - the function returns one row always
    return Settled(healed=row["healed"], empty=row["empty"])


async def confirm_history(
    transaction: Transaction, symbol_id: int, timeframe: Timeframe, first: datetime, end: datetime
) -> None:
    """Note that the vendor was asked for the history in [first, end) and that what it has is stored."""
    await transaction.execute("gaps.confirm_history", symbol_id, timeframe.value, first, end)


async def note_attempt(
    transaction: Transaction, gap: DueGap, error: str, pause: timedelta, cause: GapCause | None = None
) -> None:
    """Note that what is open of a span could not be had; the next try comes after `pause`, doubled each time."""
    await transaction.execute(
        "gaps.note_attempt", gap.symbol_id, gap.timeframe.value, gap.starts_at, gap.ends_at, error,
        None if cause is None else cause.value, pause,
    )


async def count_unasked(transaction: Transaction) -> int:
    """Return how many open gaps the vendor was never asked for."""
    return await transaction.fetch_value("gaps.count_unasked")


async def list_gaps(transaction: Transaction, question: GapQuestion, limit: int) -> list[Gap]:
    """Return gaps that reach into the span, oldest first, at most `limit`."""
    return [
        _gap(row)
        for row in await transaction.fetch(
            "gaps.list", list(question.symbols), [each.value for each in question.states],
            question.first, question.end, limit,
        )
    ]


async def read_expected_until(transaction: Transaction) -> datetime | None:
    """Return up to where bars are expected of any symbol; None where of none."""
    return await transaction.fetch_value("gaps.expected_until")


async def read_coverage(transaction: Transaction, question: GapQuestion) -> list[Coverage]:
    """Return how the closed buckets of each symbol in the span are explained, whatever the state."""
    return [
        Coverage(**_typed(row))
        for row in await transaction.fetch("gaps.coverage", list(question.symbols), question.first, question.end)
    ]


def _gap(row: Row) -> Gap:
    values: dict[str, Any] = dict(row.items())
    values |= {
        "timeframe": Timeframe(values["timeframe"]),
        "state": GapState(values["state"]),
        "cause": GapCause(values["cause"]),
    }
    return Gap(**values)


def _typed(row: Row) -> dict[str, Any]:
    values: dict[str, Any] = dict(row.items())
    values["timeframe"] = Timeframe(values["timeframe"])
    return values

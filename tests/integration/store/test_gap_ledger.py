"""The gap ledger in SQL: whatever happens in whatever order, every expected minute is explained."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tracker.domain.timeframe import Timeframe
from tracker.store.bars import advance_watermark, ensure_partitions, upsert_bars
from tracker.store.database import Database, Transaction
from tracker.store.gaps import (
    CauseSpan,
    Coverage,
    Expected,
    GapCause,
    GapQuestion,
    GapState,
    account_for,
    confirm_history,
    list_gaps,
    note_attempt,
    open_missing,
    read_coverage,
    read_due,
    settle,
)
from tracker.testing.builders import START, make_bar

MINUTE = Timeframe.M1.duration
FAR = GapQuestion(first=START - timedelta(days=400), end=START + timedelta(days=400))
OpenDatabase = Callable[[str | None], Awaitable[Database]]


@dataclass
class Ledger:
    """A database with some symbols, and the collector's steps on it in minutes from START."""

    database: Database
    ids: dict[str, int] = field(default_factory=dict)

    async def prepare(self, *symbols: str, base: str = "1m") -> None:
        async with self.database.transaction() as transaction:
            for symbol in symbols:
                self.ids[symbol] = await transaction.connection.fetchval(
                    "INSERT INTO tracker.symbols (symbol, base_timeframe) VALUES ($1, $2) RETURNING symbol_id",
                    symbol, base,
                )
            await ensure_partitions(transaction, START - timedelta(days=1), START + timedelta(days=3))
            await transaction.commit()

    async def do(self, step: Callable[[Transaction], Awaitable[Any]]) -> Any:
        async with self.database.transaction() as transaction:
            done = await step(transaction)
            await transaction.commit()
        return done

    async def bars(self, symbol: str, *minutes: int) -> None:
        bars = [make_bar(minute, symbol=symbol) for minute in minutes]
        await self.do(lambda t: upsert_bars(t, bars, self.ids))

    async def close(self, first: int, end: int, *symbols: str, causes: tuple[CauseSpan, ...] = ()) -> int:
        expected = Expected(symbol_ids=[self.ids[each] for each in symbols or self.ids], causes=causes)

        async def step(transaction: Transaction) -> int:
            missing = await account_for(transaction, expected, at(first), at(end))
            await advance_watermark(transaction, Timeframe.M1, at(first), at(end))
            return missing

        return await self.do(step)

    async def settle(self, symbol: str, first: int, end: int) -> Any:
        return await self.do(lambda t: settle(t, self.ids[symbol], Timeframe.M1, at(first), at(end)))

    async def history(self, symbol: str, first: int, end: int) -> None:
        async def step(transaction: Transaction) -> None:
            await transaction.connection.execute(
                "INSERT INTO tracker.backfill_chunks (symbol_id, timeframe, starts_at, ends_at, status)"
                " VALUES ($1, '1m', $2, $3, 'done') ON CONFLICT (symbol_id, timeframe, starts_at)"
                " DO UPDATE SET ends_at = greatest(backfill_chunks.ends_at, excluded.ends_at)",
                self.ids[symbol], at(first), at(end),
            )
            await confirm_history(transaction, self.ids[symbol], Timeframe.M1, at(first), at(end))

        await self.do(step)

    async def ranges(self, *states: GapState) -> list[tuple[str, int, int, str]]:
        """Return (symbol, first minute, last minute exclusive, state)."""
        question = GapQuestion(first=FAR.first, end=FAR.end, states=states or tuple(GapState))
        found = await self.do(lambda t: list_gaps(t, question, 1000))
        return [(each.symbol, minute_of(each.starts_at), minute_of(each.ends_at), each.state) for each in found]

    async def coverage(self) -> dict[str, Coverage]:
        return {each.symbol: each for each in await self.do(lambda t: read_coverage(t, FAR))}


def at(minute: int) -> datetime:
    return START + minute * MINUTE


def minute_of(moment: datetime) -> int:
    return (moment - START) // MINUTE


@pytest.fixture
async def ledger(open_database: OpenDatabase) -> Ledger:
    made = Ledger(await open_database("data_collector"))
    await made.prepare("A-USD", "B-USD")
    return made


async def test_missing_minutes_become_open_gaps_that_grow_minute_by_minute(ledger: Ledger) -> None:
    await ledger.bars("A-USD", 0, 1, 2, 3)
    await ledger.bars("B-USD", 0)
    assert await ledger.close(0, 2) == 1
    assert await ledger.close(2, 3) == 1
    assert await ledger.close(3, 4) == 1
    assert await ledger.ranges() == [("B-USD", 1, 4, "open")]
    found = (await ledger.coverage())["B-USD"]
    assert (found.expected, found.stored, found.open, found.unexplained) == (4, 1, 3, 0)


async def test_a_cause_is_taken_from_the_first_span_that_fits_and_parts_gaps(ledger: Ledger) -> None:
    spans = (
        CauseSpan(cause=GapCause.REJECTED, starts_at=at(1), ends_at=at(2), symbol_id=ledger.ids["A-USD"]),
        CauseSpan(cause=GapCause.DISCONNECTED, starts_at=at(0), ends_at=at(2)),
    )
    await ledger.close(0, 3, "A-USD", causes=spans)
    question = GapQuestion(first=at(0), end=at(3))
    found = await ledger.do(lambda t: list_gaps(t, question, 10))
    assert [(minute_of(each.starts_at), each.cause) for each in found] == [
        (0, "disconnected"), (1, "rejected"), (2, "not_sent")
    ]


async def test_quiet_minutes_confirmed_one_by_one_are_one_row(ledger: Ledger) -> None:
    await ledger.bars("B-USD", *range(60))
    for minute in range(60):
        await ledger.close(minute, minute + 1)
        await ledger.settle("A-USD", minute, minute + 1)
    assert await ledger.ranges() == [("A-USD", 0, 60, "confirmed_empty")]


async def test_a_thin_market_has_a_row_a_day_and_not_one_a_quiet_minute(ledger: Ledger) -> None:
    traded = [minute for minute in range(2_880) if minute % 3]
    await ledger.bars("A-USD", *traded)
    await ledger.bars("B-USD", *range(2_880))
    await ledger.close(0, 2_880)
    await ledger.settle("A-USD", 0, 2_880)
    days = {day.date() for day in (at(0), at(1_440), at(2_879))}
    assert len(await ledger.ranges()) == len(days)
    found = (await ledger.coverage())["A-USD"]
    assert (found.stored, found.empty, found.unexplained) == (len(traded), 2_880 - len(traded), 0)


async def test_a_gap_is_healed_where_it_was_asked_for_and_open_beyond(ledger: Ledger) -> None:
    await ledger.close(0, 10, "A-USD")
    await ledger.bars("A-USD", 3, 4)
    done = await ledger.settle("A-USD", 2, 6)
    assert (done.healed, done.empty) == (2, 2)
    assert await ledger.ranges() == [
        ("A-USD", 0, 2, "open"), ("A-USD", 2, 6, "healed"), ("A-USD", 6, 10, "open")
    ]
    found = (await ledger.coverage())["A-USD"]
    assert (found.stored, found.empty, found.open, found.unexplained) == (2, 2, 6, 0)


async def test_a_failed_try_is_noted_and_the_next_one_comes_later(ledger: Ledger) -> None:
    await ledger.close(0, 2, "A-USD")
    ids = list(ledger.ids.values())

    async def due(settled: int) -> Any:
        return await ledger.do(lambda t: read_due(t, ids, at(settled), timedelta(days=1)))

    assert await due(0) == []
    [gap] = await due(2)
    assert (gap.starts_at, gap.ends_at, gap.attempts) == (at(0), at(2), 0)
    await ledger.do(lambda t: note_attempt(t, gap, "HTTP 500", timedelta(minutes=1)))
    assert await due(2) == []
    [row] = await ledger.do(lambda t: list_gaps(t, FAR, 10))
    assert (row.attempts, row.last_error, row.state) == (1, "HTTP 500", "open")
    assert row.last_attempt_at is not None


async def test_a_symbol_that_is_no_longer_collected_is_not_expected_until_it_comes_back(ledger: Ledger) -> None:
    await ledger.close(0, 5)
    await ledger.close(5, 9, "B-USD")
    await ledger.close(9, 10)
    found = await ledger.coverage()
    assert (found["A-USD"].expected, found["B-USD"].expected) == (6, 10)
    assert [each.unexplained for each in found.values()] == [0, 0]


async def test_bars_of_a_longer_finest_timeframe_count_as_what_they_are(open_database: OpenDatabase) -> None:
    ledger = Ledger(await open_database("data_collector"))
    await ledger.prepare("A-USD", base="15m")
    await ledger.close(0, 14)
    await ledger.close(14, 47)
    assert await ledger.ranges() == [("A-USD", 0, 45, "open")]
    found = (await ledger.coverage())["A-USD"]
    assert (found.timeframe, found.expected, found.open, found.unexplained) == (Timeframe.M15, 3, 3, 0)


async def test_ranges_that_overlap_are_refused(ledger: Ledger) -> None:
    await ledger.close(0, 5, "A-USD")
    for first, end in ((4, 6), (-1, 1), (1, 2), (-1, 9), (0, 5)):
        with pytest.raises((asyncpg.ExclusionViolationError, asyncpg.UniqueViolationError)):
            await ledger.do(lambda t, a=first, b=end: t.connection.execute(
                "INSERT INTO tracker.data_gaps (symbol_id, timeframe, starts_at, ends_at, cause)"
                " VALUES ($1, '1m', $2, $3, 'late')", ledger.ids["A-USD"], at(a), at(b),
            ))


async def test_two_writers_at_once_do_not_write_the_same_minutes(ledger: Ledger) -> None:
    expected = Expected(symbol_ids=[ledger.ids["A-USD"]])
    steps = [
        ledger.do(lambda t, n=n: open_missing(t, expected, at(n), at(n + 30), GapCause.LATE)) for n in range(3)
    ]
    await asyncio.gather(*steps)
    assert await ledger.ranges() == [("A-USD", 0, 32, "open")]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["bars", "close", "close", "settle", "history", "leave"]),
        st.sampled_from(["A-USD", "B-USD"]),
        st.integers(-20, 40),
        st.integers(1, 15),
    ),
    max_size=14,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
async def test_no_minute_is_ever_unexplained_and_ranges_stay_apart(
    ledger: Ledger, steps: list[tuple[str, str, int, int]]
) -> None:
    async with ledger.database.transaction() as transaction:
        for table in ("data_gaps", "expected_spans", "ohlc_data", "bar_watermarks", "backfill_chunks", "latest_bar"):
            await transaction.connection.execute(f"DELETE FROM tracker.{table}")
        await transaction.commit()
    closed, live = 0, ["A-USD", "B-USD"]
    for kind, symbol, first, length in steps:
        if kind == "bars":
            await ledger.bars(symbol, *range(first, first + length, 2))
        elif kind == "close":
            await ledger.close(closed, closed + length, *live)
            closed += length
        elif kind == "settle":
            await ledger.settle(symbol, first, first + length)
        elif kind == "history":
            await ledger.history(symbol, first, first + length)
        else:
            live = [symbol]
        found = await ledger.coverage()
        assert [each.unexplained for each in found.values()] == [0] * len(found)
        assert all(min(each.stored, each.empty, each.open) >= 0 for each in found.values())
    rows = await ledger.ranges()
    for symbol in ledger.ids:
        own = sorted(each for each in rows if each[0] == symbol)
        assert all(one[2] <= two[1] for one, two in pairwise(own))

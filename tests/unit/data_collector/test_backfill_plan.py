"""Which pieces of history are still to fetch."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.store.backfill import Chunk, ChunkStatus
from tracker.testing.builders import make_instrument

from services.data_collector.plan import (
    Span,
    before_known,
    expected_bars,
    missing_chunks,
    outstanding,
    span_of,
)

NOW = datetime(2026, 3, 10, 14, 37, 20, tzinfo=UTC)
BTC = replace(make_instrument("BTC-USD"), symbol_id=1)
QUARTER = Timeframe.M15.duration
moments = st.integers(0, 400 * 96).map(lambda quarters: datetime(2025, 1, 1, tzinfo=UTC) + quarters * QUARTER)


def chunk(begin: datetime, end: datetime, timeframe: Timeframe = Timeframe.M15, **facts: Any) -> Chunk:
    return Chunk(symbol_id=1, symbol="BTC-USD", timeframe=timeframe, starts_at=begin, ends_at=end, **facts)


@pytest.mark.parametrize(
    ("timeframe", "days", "begin", "end"),
    [
        # Minutes begin with a whole 5m bucket.
        (Timeframe.M1, 1, "2026-03-09T14:35", "2026-03-10T14:37"),
        (Timeframe.M15, 1, "2026-03-09T14:30", "2026-03-10T14:30"),
        (Timeframe.H1, 0.5, "2026-03-10T02:00", "2026-03-10T14:00"),
        (Timeframe.D1, 2, "2026-03-08T00:00", "2026-03-10T00:00"),
        (Timeframe.D1, 0.01, "2026-03-09T00:00", "2026-03-10T00:00"),
    ],
)
def test_a_span_ends_with_the_last_closed_bar(timeframe: Timeframe, days: float, begin: str, end: str) -> None:
    span = span_of(timeframe, days, NOW)
    assert (span.begin, span.end) == tuple(datetime.fromisoformat(text + "+00:00") for text in (begin, end))


@pytest.mark.parametrize(("timeframe", "cuts"), [
    (Timeframe.M1, ["2026-02-01", "2026-03-01"]),
    (Timeframe.M5, ["2025-10-01", "2026-01-01"]),
    (Timeframe.M15, ["2026-01-01"]),
    (Timeframe.H1, ["2026-01-01"]),
    (Timeframe.D1, []),
])
def test_pieces_are_cut_where_the_calendar_says(timeframe: Timeframe, cuts: list[str]) -> None:
    days = 50 if timeframe is Timeframe.M1 else 170
    found = list(missing_chunks([BTC], [span_of(timeframe, days, NOW)], []))
    assert [each.ends_at.date().isoformat() for each in found[:-1]] == cuts
    assert [each.ends_at for each in found[:-1]] == [each.starts_at for each in found[1:]]


def test_a_symbol_is_not_asked_for_bars_finer_than_its_own() -> None:
    coarse = Instrument(symbol_id=2, symbol="ETH-BTC", base_timeframe=Timeframe.H1)
    spans = [span_of(timeframe, 2, NOW) for timeframe in Timeframe]
    for plan in (missing_chunks, before_known):
        assert {each.timeframe for each in plan([coarse], spans, [])} == {Timeframe.H1, Timeframe.D1}


@given(st.lists(st.tuples(moments, moments).filter(lambda pair: pair[0] < pair[1]), max_size=6), moments, moments)
def test_what_is_planned_and_what_is_known_cover_the_span_and_nothing_twice(
    known: list[tuple[datetime, datetime]], begin: datetime, end: datetime
) -> None:
    span = Span(timeframe=Timeframe.M15, begin=begin, end=end)
    planned = list(missing_chunks([BTC], [span], [chunk(*each) for each in known]))
    assert all(begin <= each.starts_at < each.ends_at <= end for each in planned)
    quarters = dict.fromkeys(range((begin - EPOCH) // QUARTER, (end - EPOCH) // QUARTER), 0)
    for each in planned:
        for quarter in range((each.starts_at - EPOCH) // QUARTER, (each.ends_at - EPOCH) // QUARTER):
            quarters[quarter] += 1
    for quarter, times in quarters.items():
        there = any(first <= EPOCH + quarter * QUARTER < last for first, last in known)
        assert times == (0 if there else 1)


def test_the_start_only_fetches_what_lies_before_a_symbols_first_piece() -> None:
    span = span_of(Timeframe.M15, 10, NOW)
    first = span.begin + timedelta(days=4)
    known = [chunk(first, first + timedelta(days=1)), chunk(first + timedelta(days=3), span.end)]
    assert [(each.starts_at, each.ends_at) for each in before_known([BTC], [span], known)] == [(span.begin, first)]
    assert list(before_known([BTC], [span], [chunk(span.begin, first)])) == []


def test_what_is_done_is_not_outstanding_and_what_failed_is() -> None:
    span = span_of(Timeframe.M15, 10, NOW)
    day = timedelta(days=1)
    failed = chunk(span.begin, span.begin + day, status=ChunkStatus.FAILED)
    pieces = [
        failed,
        chunk(span.begin + day, span.begin + 2 * day, status=ChunkStatus.DONE),
        chunk(span.begin - day, span.begin),
        replace(failed, symbol="ETH-USD"),
    ]
    assert outstanding(pieces, {"BTC-USD": BTC}, [span]) == [failed]
    assert expected_bars(pieces[:3]) == 3 * 96

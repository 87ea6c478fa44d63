"""What a connection that looks well has not delivered, and why bars may be missing."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tracker.domain.timeframe import Timeframe
from tracker.store.gaps import GapCause
from tracker.testing.builders import START, make_bar

from services.data_collector.gaps import GapCauses, GapWatch, around

MINUTE = Timeframe.M1.duration


def test_minutes_that_follow_each_other_miss_nothing() -> None:
    watch = GapWatch(step=MINUTE)
    watch.covered(["A-USD"], START)
    assert watch.saw([make_bar(0, symbol="A-USD"), make_bar(1, symbol="A-USD")]) is None


def test_a_minute_in_which_nobody_reported_is_a_loss_from_there_on() -> None:
    watch = GapWatch(step=MINUTE)
    assert watch.saw([make_bar(0, symbol="A-USD"), make_bar(3, symbol="B-USD")]) == START + MINUTE
    assert watch.saw([make_bar(4, symbol="A-USD")]) is None


def test_the_first_minute_of_a_connection_follows_what_rest_covered() -> None:
    watch = GapWatch(step=MINUTE)
    watch.covered([], START)
    assert watch.saw([make_bar(2)]) == START


def test_one_symbols_hole_is_no_loss_of_the_feed_and_a_late_bar_no_hole() -> None:
    watch = GapWatch(step=MINUTE)
    bars = [make_bar(minute, symbol="A-USD") for minute in range(4)]
    assert watch.saw([make_bar(0, symbol="B-USD"), *bars, make_bar(3, symbol="B-USD"), make_bar(1)]) is None


def test_a_symbol_is_silent_when_the_feed_went_on_without_it_and_no_more_once_it_is_repaired() -> None:
    watch = GapWatch(step=MINUTE)
    watch.saw([make_bar(0, symbol="B-USD"), *(make_bar(minute, symbol="A-USD") for minute in range(20))])
    assert watch.silent() == ["B-USD"]
    watch.covered(["B-USD"], START + timedelta(minutes=20))
    assert watch.silent() == []


def test_causes_of_one_symbol_come_before_those_of_all_and_are_forgotten_when_closed() -> None:
    causes = GapCauses()
    causes.note(GapCause.DISCONNECTED, START, START + 5 * MINUTE)
    causes.note(GapCause.REJECTED, START + MINUTE, START + 2 * MINUTE, "A-USD")
    causes.note(GapCause.REJECTED, START + 3 * MINUTE, START + 4 * MINUTE, "A-USD")
    causes.note(GapCause.OVERFLOW, START, START + MINUTE, "GONE-USD")
    causes.note(GapCause.VENDOR_FAILED, START, START + 6 * MINUTE)
    known = causes.known({"A-USD": 7})
    assert [(each.cause, each.symbol_id) for each in known] == [
        (GapCause.REJECTED, 7), (GapCause.VENDOR_FAILED, None), (GapCause.DISCONNECTED, None)
    ]
    assert (known[0].starts_at, known[0].ends_at) == (START + MINUTE, START + 4 * MINUTE)
    causes.forget(START + 5 * MINUTE)
    assert [each.cause for each in causes.known({"A-USD": 7})] == [GapCause.VENDOR_FAILED]


@given(first=st.integers(0, 10), length=st.integers(0, 10), excluded=st.lists(st.integers(-3, 25)))
def test_the_parts_around_excluded_minutes_are_all_others_in_order_and_apart(
    first: int, length: int, excluded: list[int]
) -> None:
    begin, end = START + first * MINUTE, START + (first + length) * MINUTE
    parts = list(around(begin, end, [START + each * MINUTE for each in excluded], MINUTE))
    covered = [minute for a, b in parts for minute in range((a - START) // MINUTE, (b - START) // MINUTE)]
    assert covered == [each for each in range(first, first + length) if each not in excluded]
    assert all(a < b for a, b in parts)
    assert all(one[1] < two[0] for one, two in pairwise(parts))

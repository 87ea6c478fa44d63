"""What a connection that looks well has not delivered."""

from __future__ import annotations

from datetime import timedelta

from tracker.domain.timeframe import Timeframe
from tracker.testing.builders import START, make_bar

from services.data_collector.gaps import GapWatch

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


def test_one_symbols_hole_is_a_doubt_that_is_taken_once() -> None:
    watch = GapWatch(step=MINUTE)
    bars = [make_bar(minute, symbol="A-USD") for minute in range(4)]
    assert watch.saw([make_bar(0, symbol="B-USD"), *bars, make_bar(3, symbol="B-USD")]) is None
    doubtful = watch.take_doubtful()
    assert doubtful == {"B-USD": START + MINUTE}
    assert watch.take_doubtful() == {}
    watch.put_back(doubtful)
    assert watch.take_doubtful() == doubtful


def test_what_rest_covered_last_is_compared_once_more_because_rest_may_lag() -> None:
    watch = GapWatch(step=MINUTE)
    watch.covered(["BTC-USD"], START)
    watch.saw([make_bar(0)])
    assert watch.take_doubtful() == {"BTC-USD": START - MINUTE}


def test_a_silent_symbol_is_compared_from_where_it_was_compared_last() -> None:
    watch = GapWatch(step=MINUTE)
    watch.saw([make_bar(0, symbol="B-USD"), *(make_bar(minute, symbol="A-USD") for minute in range(20))])
    assert watch.silent() == ["B-USD"]
    assert watch.take_doubtful() == {"B-USD": START + MINUTE}
    watch.compared(["B-USD"], START + timedelta(minutes=20))
    assert watch.take_doubtful() == {"B-USD": START + timedelta(minutes=20)}


def test_a_late_bar_is_no_hole() -> None:
    watch = GapWatch(step=MINUTE)
    watch.saw([make_bar(0), make_bar(1)])
    assert watch.saw([make_bar(0)]) is None
    assert watch.take_doubtful() == {}

"""When a minute counts as complete."""

from __future__ import annotations

from tracker.domain.timeframe import Timeframe
from tracker.testing.builders import START, make_bar

from services.data_collector.closer import MinuteCloser

MINUTE = Timeframe.M1.duration


def test_nothing_is_closed_before_the_first_bar() -> None:
    assert MinuteCloser(3.0).closed_through(100.0) is None


def test_a_minute_closes_at_once_when_every_live_symbol_has_reported() -> None:
    closer = MinuteCloser(3.0)
    closer.saw([make_bar(0, symbol="A-USD"), make_bar(0, symbol="B-USD")], 0.0)
    closer.saw([make_bar(1, symbol="A-USD")], 60.0)
    assert closer.closed_through(60.1) == START + MINUTE
    closer.saw([make_bar(1, symbol="B-USD")], 60.2)
    assert closer.closed_through(60.2) == START + 2 * MINUTE


def test_a_minute_closes_by_grace_when_a_symbol_stays_quiet() -> None:
    closer = MinuteCloser(3.0)
    closer.saw([make_bar(0, symbol="A-USD"), make_bar(0, symbol="B-USD"), make_bar(1, symbol="A-USD")], 10.0)
    assert closer.closed_through(12.9) == START + MINUTE
    assert closer.seconds_to_grace(12.0) == 1.0
    assert closer.closed_through(13.0) == START + 2 * MINUTE


def test_a_later_bar_closes_every_minute_before_its_own() -> None:
    closer = MinuteCloser(3.0)
    closer.saw([make_bar(0, symbol="A-USD"), make_bar(0, symbol="B-USD"), make_bar(9, symbol="A-USD")], 0.0)
    assert closer.closed_through(0.0) == START + 9 * MINUTE


def test_a_symbol_silent_for_long_holds_nobody_up() -> None:
    closer = MinuteCloser(3.0)
    closer.saw([make_bar(0, symbol="GONE-USD")], 0.0)
    closer.saw([make_bar(30, symbol="A-USD")], 0.0)
    assert closer.closed_through(0.0) == START + 31 * MINUTE


def test_a_late_bar_does_not_move_the_high_water_back() -> None:
    closer = MinuteCloser(3.0)
    closer.saw([make_bar(5), make_bar(2)], 0.0)
    assert closer.high_water == START + 6 * MINUTE
    assert closer.first_open == make_bar(2).ts


def test_symbols_that_never_reported_hold_the_first_minutes_up_until_the_grace_passes() -> None:
    closer = MinuteCloser(3.0)
    closer.expect(["A-USD", "B-USD"], START)
    closer.saw([make_bar(0, symbol="A-USD")], 0.0)
    assert closer.closed_through(1.0) is None
    closer.saw([make_bar(0, symbol="B-USD")], 1.0)
    assert closer.closed_through(1.0) == START + MINUTE


def test_before_the_first_bar_nothing_can_be_complete() -> None:
    closer = MinuteCloser(3.0)
    closer.expect(["B-USD"], START)
    closer.saw([make_bar(0, symbol="A-USD")], 0.0)
    assert closer.closed_through(0.0) is None
    assert closer.closed_through(3.0) == START + MINUTE

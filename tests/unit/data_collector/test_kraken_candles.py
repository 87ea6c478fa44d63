"""Kraken does not say when a candle is closed; a later one does, or the time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tracker.domain.bar import Bar
from tracker.testing.builders import START, make_bar

from services.data_collector.feeds.kraken_candles import ExchangeTime, KrakenCandles

GRACE = timedelta(seconds=2)


def candles(began_minute: float = 0) -> KrakenCandles:
    known = KrakenCandles(GRACE)
    known.began(START + timedelta(minutes=began_minute))
    return known


def closes(items: list[Any]) -> list[tuple[int, float]]:
    """Return minute and close of each bar."""
    return [(int((bar.ts - START).total_seconds() // 60), bar.close) for bar in items]


def test_a_later_candle_closes_the_one_before_as_it_stood_last() -> None:
    known = candles()
    assert known.take([make_bar(0, close=1)]) == []
    assert known.take([make_bar(0, close=2)]) == []
    assert closes(known.take([make_bar(1, close=3)])) == [(0, 2)]


def test_symbols_do_not_close_each_other() -> None:
    known = candles()
    assert known.take([make_bar(0), make_bar(1, symbol="ETH-USD")]) == []


def test_time_and_a_grace_close_a_candle_once() -> None:
    known = candles()
    known.take([make_bar(0, close=1)])
    assert known.due(START + timedelta(seconds=61.9)) == []
    assert closes(known.due(START + timedelta(seconds=62))) == [(0, 1)]
    assert known.due(START + timedelta(seconds=63)) == []
    assert known.take([make_bar(1, close=2)]) == []


def test_a_change_after_the_close_is_a_correction() -> None:
    known = candles()
    known.take([make_bar(0, close=1)])
    known.due(START + timedelta(seconds=62))
    assert closes(known.take([make_bar(0, close=5)])) == [(0, 5)]
    assert known.take([make_bar(0, close=5)]) == []
    known.take([make_bar(1)])
    assert closes(known.take([make_bar(0, close=6)])) == [(0, 6)]
    assert closes(known.take([make_bar(2)])) == [(1, 100.0)]


def test_what_had_closed_before_the_connection_is_left_to_rest() -> None:
    known = candles(began_minute=5.5)
    assert known.take([make_bar(minute, close=minute + 1) for minute in (3, 1, 2, 5)]) == []
    assert closes(known.due(START + timedelta(minutes=6, seconds=2))) == [(5, 6)]


def test_a_candle_without_trades_is_no_bar() -> None:
    known = candles()
    empty = make_bar(0)
    known.take([Bar(**{**_facts(empty), "trades": 0, "volume": 0.0})])
    assert known.take([Bar(**{**_facts(make_bar(1)), "trades": 0})]) == []
    assert closes(known.take([make_bar(2)])) == [(1, 100.0)], "a volume without a count is traded"


def test_the_time_goes_on_between_messages_and_never_back() -> None:
    time = ExchangeTime()
    assert time.at(5.0) is None
    time.told(START, 10.0)
    assert time.at(12.5) == START + timedelta(seconds=2.5)
    time.told(START + timedelta(seconds=1), 12.5)
    assert time.at(12.5) == START + timedelta(seconds=2.5)
    time.told(START + timedelta(seconds=9), 13.0)
    assert time.at(14.0) == START + timedelta(seconds=10)


def _facts(bar: Bar) -> dict[str, Any]:
    return {name: getattr(bar, name) for name in Bar.__dataclass_fields__}

"""Kraken's frames: candles as they stand, answers, and what cannot be read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from tracker.domain.bar import Bar
from tracker.store.bars import Rejection

from services.data_collector.feeds.kraken_messages import Answer, Candles, SystemStatus, parse_frame

SYMBOLS = {"BTC/USD": "BTC-USD"}
ROW = {
    "symbol": "BTC/USD", "open": 27.5, "high": 28, "low": 27, "close": 27.8, "trades": 23, "volume": 3.4, "vwap": 27.6,
    "interval_begin": "2023-10-04T16:25:00.000000000Z", "interval": 1, "timestamp": "2023-10-04T16:26:00.000000Z",
}


def parsed(item: Any) -> Any:
    return parse_frame(orjson.dumps(item), SYMBOLS)


def test_a_candle_as_it_stands() -> None:
    frame = {"channel": "ohlc", "type": "update", "timestamp": "2023-10-04T16:25:30.524394914Z", "data": [ROW]}
    message = parsed(frame)
    assert isinstance(message, Candles)
    assert (message.snapshot, message.said_at) == (False, datetime(2023, 10, 4, 16, 25, 30, 524394, UTC))
    (bar,) = message.bars
    assert isinstance(bar, Bar)
    assert (bar.symbol, bar.ts) == ("BTC-USD", datetime(2023, 10, 4, 16, 25, tzinfo=UTC))
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (27.5, 28, 27, 27.8, 3.4)
    assert (bar.vwap, bar.trades) == (27.6, 23)
    assert parsed(frame | {"type": "snapshot"}).snapshot


def test_answers_name_the_pair_and_what_is_wrong_with_it() -> None:
    accepted = {
        "method": "subscribe", "success": True, "time_out": "2023-10-04T16:25:30.5Z",
        "result": {"channel": "ohlc", "symbol": "BTC/USD", "interval": 1, "snapshot": True},
    }
    moment = datetime(2023, 10, 4, 16, 25, 30, 500_000, UTC)
    assert parsed(accepted) == Answer(pair="BTC/USD", error="", said_at=moment)
    refused = {
        "method": "subscribe", "success": False, "symbol": "X/Y", "error": "Currency pair not supported X/Y",
    }
    assert parsed(refused) == Answer(pair="X/Y", error="Currency pair not supported X/Y", said_at=None)
    assert parsed({"method": "subscribe", "success": False}).error == "refused without a reason"
    senseless = {"method": "error", "success": False, "error": "Malformed request"}
    assert parsed(senseless) == Answer(pair="", error="Malformed request", said_at=None)


def test_status_and_what_does_not_concern_us() -> None:
    assert parsed({"channel": "status", "data": [{"system": "maintenance"}]}) == SystemStatus(system="maintenance")
    assert parsed({"channel": "heartbeat"}) is None
    assert parsed({"channel": "tomorrow's"}) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"open": "27"}, "open is '27'"), ({"volume": True}, "volume is True"), ({"high": 1e300}, "high is 1e+300"),
        ({"high": 1}, "high is 1.0, below"), ({"close": -1}, "close is -1.0"), ({"symbol": "X/Y"}, "symbol is 'X/Y'"),
        ({"interval_begin": "noon"}, "interval_begin is 'noon'"), ({"interval_begin": None}, "interval_begin is None"),
        ({"interval": 5}, "interval is 5"), ({"interval_begin": "2023-10-04T16:25:30Z"}, "not the start of a 1m"),
    ],
)
def test_what_cannot_be_read_is_rejected_and_the_others_stay(change: dict[str, Any], said: str) -> None:
    message = parsed({"channel": "ohlc", "type": "update", "data": [ROW | change, ROW]})
    bad, good = message.bars
    assert isinstance(bad, Rejection)
    assert said in bad.reason
    assert isinstance(good, Bar)


@pytest.mark.parametrize("rows", [None, 7, [7]])
def test_candles_that_are_none(rows: Any) -> None:
    message = parsed({"channel": "ohlc", "type": "update", "data": rows})
    assert not [each for each in message.bars if isinstance(each, Bar)]


@pytest.mark.parametrize("frame", ["", "{", b"\xff"])
def test_a_frame_that_is_no_json_may_have_held_anything(frame: str | bytes) -> None:
    rejection = parse_frame(frame, SYMBOLS)
    assert isinstance(rejection, Rejection)
    assert rejection.whole_frame

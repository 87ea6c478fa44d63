"""Coinbase's frames: read exactly, and what cannot be read is told with its reason."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest
from tracker.domain.timeframe import Timeframe
from tracker.store.bars import Rejection

from services.data_collector.feeds.coinbase_messages import Heartbeat, Refusal, Subscriptions, Trade, parse_frame

SYMBOLS = {"SKL-BTC": "SKL-BTC"}
MATCH = {
    "type": "match", "trade_id": 280232, "side": "sell", "size": "985", "price": "0.00001305", "product_id": "SKL-BTC",
    "sequence": 177100030, "time": "2021-04-17T16:43:37.089723Z",
}


def parsed(item: Any) -> Any:
    return parse_frame(orjson.dumps(item), SYMBOLS)


def test_a_match_is_a_trade_in_the_exchange_s_own_digits() -> None:
    trade = parsed(MATCH)
    assert isinstance(trade, Trade)
    assert (trade.price, trade.size, trade.trade_id) == (Decimal("0.00001305"), Decimal("985"), 280232)
    assert (trade.ts.isoformat(), trade.history) == ("2021-04-17T16:43:37.089723+00:00", False)
    assert parsed(MATCH | {"type": "last_match"}).history


def test_heartbeats_answers_and_refusals() -> None:
    beat = {"type": "heartbeat", "sequence": 90, "last_trade_id": 20, "product_id": "SKL-BTC", "time": MATCH["time"]}
    heard = parsed(beat)
    assert isinstance(heard, Heartbeat)
    assert heard.last_trade_id == 20
    answer = parsed({"type": "subscriptions", "channels": [{"name": "matches", "product_ids": ["SKL-BTC"]}]})
    assert isinstance(answer, Subscriptions)
    assert answer.channels == {"matches": frozenset({"SKL-BTC"})}
    refusal = parsed({"type": "error", "message": "Failed to subscribe", "reason": "X-Y is not a valid product"})
    assert refusal == Refusal(message="Failed to subscribe: X-Y is not a valid product")


@pytest.mark.parametrize("kind", ["ticker", "l2update", "status", "tomorrow's kind"])
def test_other_kinds_are_passed_over(kind: str) -> None:
    assert parsed({"type": kind}) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"price": "-1"}, "price is '-1'"), ({"price": "NaN"}, "price is 'NaN'"), ({"size": None}, "size is None"),
        ({"size": "0"}, "size is '0'"), ({"size": "1e30"}, "size is '1e30'"),
        ({"price": "1e-400"}, "price is '1e-400'"),
        ({"trade_id": "x"}, "trade_id is 'x'"), ({"time": "noon"}, "time is 'noon'"), ({"time": 7}, "time is 7"),
        ({"time": "1999-01-01T00:00:00Z"}, "not a moment of a crypto market"),
        ({"product_id": "A-B"}, "product_id is 'A-B'"),
    ],
)
def test_what_cannot_be_read_is_rejected_with_its_reason(change: dict[str, Any], said: str) -> None:
    rejection = parsed(MATCH | change)
    assert isinstance(rejection, Rejection)
    assert said in rejection.reason
    assert not rejection.whole_frame
    if rejection.ts is not None:
        assert rejection.ts == Timeframe.M1.floor(rejection.ts)


@pytest.mark.parametrize("frame", ["", "{", b"\xff\xfe"])
def test_a_frame_that_is_no_json_may_have_held_anything(frame: str | bytes) -> None:
    rejection = parse_frame(frame, SYMBOLS)
    assert isinstance(rejection, Rejection)
    assert rejection.whole_frame


@pytest.mark.parametrize("item", [[], 7, None, "text"])
def test_what_is_no_object_is_rejected(item: Any) -> None:
    assert isinstance(parsed(item), Rejection)

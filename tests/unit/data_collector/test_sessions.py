"""What a connection asks for again: what was not acknowledged, and what fell silent while the rest speaks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from tracker.domain.clock import SystemClock
from tracker.domain.errors import FeedError
from tracker.runtime.logging import configure_logging
from tracker.testing.builders import START

from services.data_collector.buffer import Item
from services.data_collector.feeds.coinbase import CoinbaseSession
from services.data_collector.feeds.coinbase_minutes import CoinbaseMinutes
from services.data_collector.feeds.kraken import KrakenSession
from services.data_collector.feeds.polygon import PolygonSession
from services.data_collector.settings import CollectorSettings

LOG = configure_logging("test", "CRITICAL")
NAMES = ("BTC-USD", "ETH-USD", "DOGE-USD")
CHANNELS = ["matches", "heartbeat"]


def asked(session: Any) -> list[Any]:
    return [orjson.loads(text) for text in session.take_outgoing()]


def heard(session: Any, *messages: Any) -> None:
    for message in messages:
        session.take(orjson.dumps(message))


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


# Polygon


def polygon(items: list[Item] | None = None) -> PolygonSession:
    sink = (items if items is not None else []).extend
    session = PolygonSession({name: name for name in NAMES}, timedelta(minutes=15), sink, LOG)
    assert asked(session) == [{"action": "subscribe", "params": "XA.BTC-USD,XA.ETH-USD,XA.DOGE-USD"}]
    return session


def accepted(*names: str) -> list[dict[str, Any]]:
    return [{"ev": "status", "status": "success", "message": f"subscribed to: XA.{name}"} for name in names]


def polygon_bars(number: int, names: Sequence[str]) -> list[dict[str, Any]]:
    start = int(minute(number).timestamp() * 1000)
    figures = {"v": 1.0, "vw": 1.0, "z": 1, "o": 1.0, "c": 1.0, "h": 1.0, "l": 1.0, "s": start, "e": start + 60_000}
    return [{"ev": "XA", "pair": name, **figures} for name in names]


def test_polygon_is_asked_again_for_what_it_did_not_acknowledge() -> None:
    session = polygon()
    heard(session, accepted("BTC-USD", "DOGE-USD"))
    assert session.awaited == {"ETH-USD"}
    session.ask_again()
    assert asked(session) == [{"action": "subscribe", "params": "XA.ETH-USD"}]
    heard(session, accepted("ETH-USD"))
    assert not session.awaited


def test_polygon_is_asked_for_everything_again_where_one_symbol_is_silent() -> None:
    items: list[Item] = []
    session = polygon(items)
    heard(session, accepted(*NAMES), *(polygon_bars(number, NAMES[:2]) for number in range(16)))
    session.look()
    assert asked(session) == []
    heard(session, polygon_bars(16, NAMES[:2]))
    session.look()
    assert asked(session) == [{"action": "subscribe", "params": "XA.BTC-USD,XA.ETH-USD,XA.DOGE-USD"}]
    assert not session.awaited, "what is subscribed already gets no answer"
    session.look()
    assert asked(session) == []
    assert len(items) == 34


# Coinbase


def coinbase() -> CoinbaseSession:
    symbols = {name: name for name in NAMES}
    minutes = CoinbaseMinutes(timedelta(seconds=2))
    minutes.connected(symbols)
    session = CoinbaseSession(symbols, minutes, lambda _: None, LOG)
    assert asked(session) == [{"type": "subscribe", "product_ids": list(NAMES), "channels": CHANNELS}]
    return session


def coinbase_answer(matches: Sequence[str], heartbeats: Sequence[str]) -> dict[str, Any]:
    listed = zip(CHANNELS, (matches, heartbeats), strict=True)
    return {"type": "subscriptions", "channels": [{"name": name, "product_ids": list(each)} for name, each in listed]}


def coinbase_beat(seconds: float, name: str) -> dict[str, Any]:
    moment = (START + timedelta(seconds=seconds)).isoformat()
    return {"type": "heartbeat", "sequence": 1, "last_trade_id": 0, "product_id": name, "time": moment}


def test_coinbase_s_products_that_the_answer_does_not_list_are_asked_for_again() -> None:
    session = coinbase()
    heard(session, coinbase_answer(NAMES[:2], NAMES))
    assert session.awaited == {"matches DOGE-USD"}
    session.ask_again()
    again = [
        {"type": "unsubscribe", "product_ids": ["DOGE-USD"], "channels": CHANNELS},
        {"type": "subscribe", "product_ids": list(NAMES), "channels": CHANNELS},
    ]
    assert asked(session) == again
    heard(session, coinbase_answer(NAMES, NAMES))
    assert not session.awaited


def test_coinbase_s_product_without_heartbeats_is_subscribed_again_and_awaited() -> None:
    session = coinbase()
    heard(session, coinbase_answer(NAMES, NAMES))
    heard(session, *(coinbase_beat(seconds, name) for seconds in (0, 60) for name in NAMES[:2]))
    session.look()
    assert asked(session) == []
    heard(session, *(coinbase_beat(61, name) for name in NAMES[:2]))
    session.look()
    assert [each["type"] for each in asked(session)] == ["unsubscribe", "subscribe"]
    assert session.awaited == {"matches DOGE-USD", "heartbeat DOGE-USD"}
    heard(session, coinbase_answer(NAMES, NAMES))
    assert not session.awaited


@pytest.mark.parametrize(
    ("message", "reason", "left"),
    [
        ("Failed to subscribe", "ETH-USD is not a valid product", ["BTC-USD", "DOGE-USD"]),
        ("Failed to subscribe", "BTC-USD,ETH-USD are not valid products", ["DOGE-USD"]),
    ],
)
def test_coinbase_s_refused_products_are_left_out(message: str, reason: str, left: list[str]) -> None:
    session = coinbase()
    heard(session, {"type": "error", "message": message, "reason": reason})
    assert asked(session) == [{"type": "subscribe", "product_ids": left, "channels": CHANNELS}]
    heard(session, coinbase_answer(left, left))
    assert not session.awaited


@pytest.mark.parametrize("reason", ["", "BTC-USD,ETH-USD,DOGE-USD are not valid products"])
def test_coinbase_s_refusal_of_everything_is_a_failure_in_its_own_words(reason: str) -> None:
    with pytest.raises(FeedError, match=f"the exchange refused a request: rate limit exceeded.*{reason}"):
        heard(coinbase(), {"type": "error", "message": "rate limit exceeded", "reason": reason})


# Kraken


PAIRS = {name.replace("-", "/"): name for name in NAMES}


def kraken() -> KrakenSession:
    settings = CollectorSettings(quiet_symbol_seconds=900)
    session = KrakenSession(PAIRS, settings, SystemClock(), lambda _: None, LOG)
    assert asked(session) == [kraken_request(PAIRS)]
    return session


def kraken_request(pairs: Sequence[str] | dict[str, str]) -> dict[str, Any]:
    return {
        "method": "subscribe",
        "params": {"channel": "ohlc", "symbol": list(pairs), "interval": 1, "snapshot": True},
    }


def kraken_answer(pair: str, error: str = "") -> dict[str, Any]:
    if error:
        return {"method": "subscribe", "success": False, "symbol": pair, "error": error}
    return {"method": "subscribe", "success": True, "result": {"channel": "ohlc", "symbol": pair, "interval": 1}}


def kraken_update(number: int, pair: str) -> dict[str, Any]:
    candle = {
        "symbol": pair, "open": 1, "high": 1, "low": 1, "close": 1, "trades": 1, "volume": 1, "vwap": 1, "interval": 1,
        "interval_begin": minute(number).isoformat(),
    }
    return {"channel": "ohlc", "type": "update", "timestamp": minute(number).isoformat(), "data": [candle]}


def test_kraken_s_pairs_without_an_answer_are_asked_for_again() -> None:
    session = kraken()
    heard(session, kraken_answer("BTC/USD"), kraken_answer("DOGE/USD"))
    assert session.awaited == {"ETH/USD"}
    session.ask_again()
    assert asked(session) == [kraken_request(["ETH/USD"])]


@pytest.mark.parametrize("error", ["", "Already subscribed to one ohlc interval on this symbol"])
def test_kraken_s_silent_pair_is_subscribed_again_and_held_is_as_good_as_accepted(error: str) -> None:
    session = kraken()
    heard(session, *(kraken_answer(pair) for pair in PAIRS))
    heard(session, *(kraken_update(number, pair) for number in (0, 16) for pair in ("BTC/USD", "ETH/USD")))
    session.look()
    assert asked(session) == [kraken_request(["DOGE/USD"])]
    assert session.awaited == {"DOGE/USD"}
    heard(session, kraken_answer("DOGE/USD", error))
    assert not session.awaited
    session.look()
    assert asked(session) == []

"""Kraken's REST answers: errors with status 200, old names, an open last row."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tracker.domain.clock import SystemClock
from tracker.domain.errors import FeedError, FeedRateLimitError
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import Timeframe
from tracker.runtime.logging import configure_logging
from tracker.store.bar_checks import split_table
from tracker.testing.builders import START

from services.data_collector.feeds.kraken import KrakenFeed
from services.data_collector.feeds.kraken_rest import KrakenRest
from services.data_collector.settings import CollectorSettings

FIRST = int(START.timestamp())
FAST = {"longest_backoff_seconds": 0.01, "rest_attempts": 3, "rest_requests_per_minute": 1e6, "breaker_threshold": 9}
PAIRS = {
    "XXBTZUSD": {"altname": "XBTUSD", "wsname": "XBT/USD", "status": "online"},
    "XDGUSD": {"altname": "XDGUSD", "wsname": "XDG/USD", "status": "online"},
    "SOLUSD": {"altname": "SOLUSD", "wsname": "SOL/USD", "status": "cancel_only"},
    "DARK": {"altname": "DARK"},
}


def settings() -> CollectorSettings:
    return CollectorSettings(kraken_rest_url="http://exchange", **FAST)  # type: ignore[arg-type]


def client_of(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


def said(result: Any, *errors: str) -> httpx.Response:
    return httpx.Response(200, json={"error": list(errors), "result": result})


def rest_saying(*answers: httpx.Response) -> KrakenRest:
    left = iter(answers)
    return KrakenRest(settings(), SystemClock(), client_of(lambda _: next(left)))


def row(minute: int, count: int = 2) -> list[Any]:
    return [FIRST + 60 * minute, "10.0", "12.0", "9.0", "11.0", "10.5", "3.25", count]


async def test_candles_without_the_open_one_and_without_empty_minutes() -> None:
    asked: list[dict[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("AssetPairs"):
            return said(PAIRS)
        asked.append(dict(request.url.params))
        return said({"XXBTZUSD": [row(-1), row(0), row(1, 0), row(2), row(3), row(4)], "last": FIRST + 180})

    rest = KrakenRest(settings(), SystemClock(), client_of(answer))
    table = await rest.candles("BTC/USD", Timeframe.M1, START, START + timedelta(minutes=9))
    assert table.ts.tolist() == [FIRST, FIRST + 120, FIRST + 180]
    assert table.vwap is not None
    assert table.trades is not None
    assert [table.open[0], table.high[0], table.low[0], table.close[0], table.volume[0]] == [10, 12, 9, 11, 3.25]
    assert (table.vwap[0], table.trades[0]) == (10.5, 2)
    assert asked == [{"pair": "XBTUSD", "interval": "1", "since": str(FIRST - 1)}]


@pytest.mark.parametrize("timeframe", list(Timeframe))
async def test_every_timeframe_is_an_interval_of_the_exchange(timeframe: Timeframe) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get("interval", ""))
        return said(PAIRS if request.url.path.endswith("AssetPairs") else {"XDGUSD": [], "last": 0})

    rest = KrakenRest(settings(), SystemClock(), client_of(answer))
    assert len(await rest.candles("DOGE/USD", timeframe, START, START + timedelta(days=1))) == 0
    assert asked == ["", str(timeframe.seconds // 60)]


async def test_rows_that_hold_no_numbers_are_rejected_and_the_others_stay() -> None:
    bad = [FIRST + 60, "x", "12", "9", "11", "10", "3", 2]
    rest = rest_saying(said(PAIRS), said({"XXBTZUSD": [row(0), bad, [FIRST + 120], "x", row(3)], "last": 0}))
    table = await rest.candles("BTC/USD", Timeframe.M1, START, START + timedelta(minutes=9))
    kept, rejections = split_table(table, "BTC-USD", Timeframe.M1, "kraken rest")
    assert kept.ts.tolist() == [FIRST]
    assert len(rejections) == 2


async def test_a_rate_limit_comes_with_status_200_and_is_asked_again() -> None:
    hurried = said(None, "EGeneral:Too many requests")
    assert await rest_saying(hurried, said({"unixtime": FIRST})).now() == START
    with pytest.raises(FeedRateLimitError, match="Too many requests"):
        await rest_saying(hurried, hurried, hurried).now()


async def test_a_service_that_is_away_is_asked_again_and_a_wrong_question_is_not() -> None:
    away = said(None, "EService:Unavailable")
    assert await rest_saying(away, said({"unixtime": FIRST}, "WGeneral:Danger")).now() == START
    with pytest.raises(FeedError, match="Unknown asset pair"):
        await rest_saying(said(None, "EQuery:Unknown asset pair")).now()


@pytest.mark.parametrize("body", [{"unixtime": "noon"}, {}, None, {"unixtime": -1}, {"unixtime": True}])
async def test_a_time_that_is_none(body: Any) -> None:
    with pytest.raises(FeedError, match="no time"):
        await rest_saying(said(body)).now()


async def test_a_pair_that_is_not_listed_has_no_history() -> None:
    with pytest.raises(FeedError, match="does not list ABC/USD"):
        await rest_saying(said(PAIRS)).candles("ABC/USD", Timeframe.M1, START, START + timedelta(minutes=9))


async def test_symbols_the_exchange_does_not_trade_are_told_with_the_reason() -> None:
    feed = KrakenFeed(
        settings(), SystemClock(), configure_logging("test", "ERROR"), client_of(lambda _: said(PAIRS))
    )
    names = {"BTC-USD": "BTC/USD", "DOGE-USD": "DOGE/USD", "SOL-USD": "SOL/USD", "NEW-USD": "NEW/USD"}
    wanted = [Instrument(symbol_id=0, symbol=symbol, vendor_tickers={"kraken": pair}) for symbol, pair in names.items()]
    refused = await feed.supported([*wanted, Instrument(symbol_id=0, symbol="ETH-USD", vendor_tickers={})])
    assert refused == {
        "SOL-USD": "kraken lists SOL/USD, but its status is cancel_only",
        "NEW-USD": "kraken does not list NEW/USD",
        "ETH-USD": "universe.toml has no kraken pair for it",
    }
    await feed.close()


async def test_what_the_exchange_no_longer_keeps_is_not_asked_for() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path.rsplit("/", 1)[1])
        return said({"unixtime": FIRST} if asked[-1] == "Time" else PAIRS if asked[-1] == "AssetPairs" else {"X": []})

    feed = KrakenFeed(settings(), SystemClock(), configure_logging("test", "ERROR"), client_of(answer))
    bitcoin = Instrument(symbol_id=0, symbol="BTC-USD", vendor_tickers={"kraken": "BTC/USD"})
    day = timedelta(days=1)
    assert len(await feed.history(bitcoin, Timeframe.M1, START - 30 * day, START - day)) == 0
    assert asked == ["Time"]
    await feed.history(bitcoin, Timeframe.M1, START - 30 * day, START)
    assert asked == ["Time", "AssetPairs", "OHLC"]
    await feed.close()


async def test_a_pair_that_was_delisted_meanwhile_has_no_more_history() -> None:
    unknown = said(None, "EQuery:Unknown asset pair")
    answers = iter([said({"unixtime": FIRST}), said(PAIRS), unknown, said({}), unknown, said(PAIRS)])
    feed = KrakenFeed(
        settings(), SystemClock(), configure_logging("test", "CRITICAL"), client_of(lambda _: next(answers))
    )
    bitcoin = Instrument(symbol_id=0, symbol="BTC-USD", vendor_tickers={"kraken": "BTC/USD"})
    assert len(await feed.history(bitcoin, Timeframe.M1, START - timedelta(hours=1), START)) == 0
    with pytest.raises(FeedError, match="Unknown asset pair"):
        await feed.history(bitcoin, Timeframe.M1, START - timedelta(hours=1), START)
    await feed.close()


def test_history_reaches_back_as_far_as_the_exchange_keeps_candles() -> None:
    assert KrakenFeed.reach(Timeframe.M1) == timedelta(minutes=719)

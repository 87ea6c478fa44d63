"""Coinbase's REST answers: paged, put into order, retried, refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tracker.domain.clock import SystemClock
from tracker.domain.errors import FeedAuthError, FeedError, FeedRateLimitError
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import Timeframe
from tracker.runtime.logging import configure_logging
from tracker.store.bar_checks import split_table
from tracker.testing.builders import START

from services.data_collector.feeds.coinbase import CoinbaseFeed
from services.data_collector.feeds.coinbase_rest import CoinbaseRest
from services.data_collector.settings import CollectorSettings

FIRST = int(START.timestamp())
FAST = {"longest_backoff_seconds": 0.01, "rest_attempts": 3, "rest_requests_per_minute": 1e6}


def settings_of(**changes: Any) -> CollectorSettings:
    return CollectorSettings(**{"coinbase_rest_url": "http://exchange", **FAST, **changes})


def rest_that(answer: Callable[[httpx.Request], httpx.Response], **changes: Any) -> CoinbaseRest:
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return CoinbaseRest(settings_of(**changes), SystemClock(), client)


def rest_saying(*answers: httpx.Response, **changes: Any) -> CoinbaseRest:
    left = iter(answers)
    return rest_that(lambda _: next(left), **changes)


class Candles:
    """An exchange with a candle each minute of which not every third traded; it counts what it is asked."""

    def __init__(self, *, end_included: bool) -> None:
        self.asked: list[tuple[int, int]] = []
        self._end_included = end_included

    def __call__(self, request: httpx.Request) -> httpx.Response:
        start, end = (
            int(datetime.fromisoformat(request.url.params[name]).timestamp()) for name in ("start", "end")
        )
        step = int(request.url.params["granularity"])
        assert request.url.path == "/products/BTC-USD/candles"
        assert (end - start) // step < 300, "the exchange refuses this"
        self.asked.append((start, end))
        stop = end + step if self._end_included else end
        # One candle that precedes the start, as the exchange does.
        opens = [each for each in range(start - step, stop, step) if each // step % 3]
        return httpx.Response(200, json=[[ts, 1.0, 4.0, 2.0, 3.0, 0.5] for ts in reversed(opens)])


@pytest.mark.parametrize("end_included", [True, False])
async def test_candles_are_paged_ascending_and_complete(end_included: bool) -> None:
    exchange = Candles(end_included=end_included)
    table = await rest_that(exchange).candles("BTC-USD", Timeframe.M1, START, START + timedelta(minutes=1_000))
    wanted = [ts for ts in range(FIRST, FIRST + 60_000, 60) if ts // 60 % 3]
    assert table.ts.tolist() == wanted
    assert len(exchange.asked) == 4
    assert (table.low[0], table.high[0], table.open[0], table.close[0], table.volume[0]) == (1.0, 4.0, 2.0, 3.0, 0.5)


@pytest.mark.parametrize("timeframe", list(Timeframe))
async def test_every_timeframe_is_a_granularity_of_the_exchange(timeframe: Timeframe) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["granularity"])
        return httpx.Response(200, json=[])

    assert len(await rest_that(answer).candles("BTC-USD", timeframe, START, START + timedelta(days=2))) == 0
    assert set(asked) == {str(timeframe.seconds)}


async def test_rows_that_hold_no_numbers_are_rejected_and_the_others_stay() -> None:
    rows = [[FIRST + 120, 1, 2, 1, None, 1], [FIRST + 60, 5, 2, 1, 1, 1], [FIRST, 1, 2, 1, 2, 7], "x", [None], []]
    rest = rest_saying(httpx.Response(200, json=rows))
    table = await rest.candles("BTC-USD", Timeframe.M1, START, START + timedelta(minutes=5))
    kept, rejections = split_table(table, "BTC-USD", Timeframe.M1, "coinbase rest")
    assert kept.ts.tolist() == [FIRST]
    assert len(rejections) == 2


async def test_too_many_requests_are_asked_again_and_told_in_the_end() -> None:
    hurried = httpx.Response(429, json={"message": "Public rate limit exceeded"})
    rest = rest_saying(hurried, httpx.Response(200, json=[]))
    assert len(await rest.candles("BTC-USD", Timeframe.M1, START, START + timedelta(minutes=5))) == 0
    with pytest.raises(FeedRateLimitError, match="rate limit exceeded"):
        await rest_saying(hurried, hurried, hurried, breaker_threshold=9).now()


async def test_a_request_that_makes_no_sense_is_asked_once() -> None:
    with pytest.raises(FeedError, match="answered 404"):
        await rest_saying(httpx.Response(404, json={"message": "NotFound"})).now()


async def test_a_country_that_is_not_served_is_for_a_person_to_solve() -> None:
    with pytest.raises(FeedAuthError, match="choose another --source"):
        await rest_saying(httpx.Response(451)).now()


async def test_requests_keep_the_pace() -> None:
    loop_time = SystemClock().monotonic
    rest = rest_that(lambda _: httpx.Response(200, json=[]), rest_requests_per_minute=1_200)
    began = loop_time()
    for _ in range(5):
        await rest.products()
    assert loop_time() - began >= 4 * 0.05


@pytest.mark.parametrize("body", [{"iso": "noon"}, {}, [], {"iso": "2024-03-01T00:00:00"}])
async def test_a_time_without_a_zone_is_no_time(body: Any) -> None:
    with pytest.raises(FeedError, match="no time"):
        await rest_that(lambda _: httpx.Response(200, json=body)).now()


async def test_the_exchange_s_time() -> None:
    body = {"iso": "2024-03-01T00:00:00.123Z", "epoch": 1709251200.123}
    assert await rest_saying(httpx.Response(200, json=body)).now() == datetime(2024, 3, 1, 0, 0, 0, 123_000, UTC)


async def test_symbols_the_exchange_does_not_trade_are_told_with_the_reason() -> None:
    products = [
        {"id": "BTC-USD", "status": "online", "trading_disabled": False},
        {"id": "OLD-USD", "status": "delisted"},
        {"id": "OFF-USD", "status": "online", "trading_disabled": True},
    ]
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=products)))
    feed = CoinbaseFeed(settings_of(), SystemClock(), configure_logging("test", "ERROR"), client)
    wanted = [
        Instrument(symbol_id=0, symbol=symbol, vendor_tickers={"coinbase": symbol})
        for symbol in ("BTC-USD", "OLD-USD", "OFF-USD", "NEW-USD")
    ]
    refused = await feed.supported([*wanted, Instrument(symbol_id=0, symbol="ETH-USD", vendor_tickers={})])
    assert refused == {
        "OLD-USD": "coinbase lists OLD-USD, but its status is delisted",
        "OFF-USD": "coinbase lists OFF-USD, but trading is disabled",
        "NEW-USD": "coinbase does not list NEW-USD",
        "ETH-USD": "universe.toml has no coinbase product for it",
    }
    await feed.close()


async def test_a_product_that_was_delisted_meanwhile_has_no_more_history() -> None:
    """And does not hold up the history of the others, which is asked for until it comes."""
    listed = [{"id": "ETH-USD", "status": "online"}]
    missing = httpx.Response(404, json={"message": "NotFound"})
    answers = iter([missing, httpx.Response(200, json=listed), missing, httpx.Response(200, json=listed)])
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: next(answers)))
    feed = CoinbaseFeed(settings_of(), SystemClock(), configure_logging("test", "CRITICAL"), client)
    gone, there = (
        Instrument(symbol_id=0, symbol=each, vendor_tickers={"coinbase": each}) for each in ("BTC-USD", "ETH-USD")
    )
    assert len(await feed.history(gone, Timeframe.M1, START, START + timedelta(hours=1))) == 0
    with pytest.raises(FeedError, match="answered 404"):
        await feed.history(there, Timeframe.M1, START, START + timedelta(hours=1))
    await feed.close()


async def test_what_a_host_fails_with_is_told_until_it_answers_again() -> None:
    def unreachable(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("name resolution failed")

    rest = rest_that(unreachable)
    with pytest.raises(FeedError, match="http://exchange cannot be reached: name resolution failed"):
        await rest.now()
    assert rest.trouble == "http://exchange cannot be reached: name resolution failed"
    rest = rest_saying(httpx.Response(503, text="down"), httpx.Response(200, json=[]))
    await rest.products()
    assert rest.trouble is None

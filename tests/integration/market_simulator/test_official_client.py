"""The vendor's own Python client works against the exchange unchanged."""

from __future__ import annotations

import asyncio
import time
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from polygon import RESTClient, WebSocketClient
from polygon.exceptions import AuthError, BadResponse
from polygon.websocket.models import CurrencyAgg

if TYPE_CHECKING:
    from tests.integration.market_simulator.conftest import Exchange


@pytest.fixture
def rest(exchange: Exchange) -> RESTClient:
    return RESTClient(api_key="key", base=f"http://127.0.0.1:{exchange.port}", retries=0)


def test_aggregates_are_paged_to_the_end(rest: RESTClient) -> None:
    bars = list(rest.list_aggs("X:ETHUSD", 5, "minute", "2026-02-27", "2026-02-28", limit=500))
    assert len(bars) == 2 * 288
    times = [bar.timestamp for bar in bars]
    assert times == list(range(times[0], times[0] + 576 * 300_000, 300_000))
    assert all(bar.low <= bar.vwap <= bar.high and bar.transactions > 0 for bar in bars)
    newest_first = rest.list_aggs("X:ETHUSD", 5, "minute", "2026-02-27", "2026-02-28", sort="desc", limit=700)
    assert list(newest_first) == bars[::-1]


def test_hours_and_days_are_roll_ups_of_the_minutes(rest: RESTClient) -> None:
    minutes = rest.get_aggs("X:DOGEUSD", 1, "minute", "2026-02-27", "2026-02-27", limit=50_000)
    (day,) = rest.get_aggs("X:DOGEUSD", 1, "day", "2026-02-27", "2026-02-27")
    hours = rest.get_aggs("X:DOGEUSD", 1, "hour", "2026-02-27", "2026-02-27", limit=50_000)
    assert len(hours) == 24
    for whole in (minutes, hours):
        assert day.open == whole[0].open
        assert day.close == whole[-1].close
        assert day.high == max(bar.high for bar in whole)
        assert day.low == min(bar.low for bar in whole)
        assert day.volume == sum(bar.volume for bar in whole)
        assert day.transactions == sum(bar.transactions for bar in whole)


def test_grouped_days_tickers_and_status(rest: RESTClient, exchange: Exchange) -> None:
    grouped = rest.get_grouped_daily_aggs(date(2026, 2, 27), locale="global", market_type="crypto")
    assert [bar.ticker for bar in grouped] == ["X:BTCUSD", "X:ETHUSD", "X:DOGEUSD"]
    tickers = [each.ticker for each in rest.list_tickers(market="crypto", limit=2)]
    assert tickers == ["X:BTCUSD", "X:DOGEUSD", "X:ETHUSD"]
    now = exchange.get("/clock").json()["now"]
    assert rest.get_market_status().server_time == now.replace("Z", "+00:00")


def test_nothing_unclosed_and_nothing_unknown_is_served(rest: RESTClient, exchange: Exchange) -> None:
    now = exchange.get("/clock").json()["now"]
    exchange.clock(advance_to=exchange.minute(7))
    bars = rest.get_aggs("X:BTCUSD", 5, "minute", now[:10], "2027-01-01", sort="desc", limit=100)
    assert [bar.timestamp // 60_000 % 60 for bar in bars[:2]] == [0, 55]
    assert rest.get_aggs("X:MOGUSD", 1, "minute", now[:10], now[:10]) == []
    assert "results" not in exchange.get("/v2/aggs/ticker/X:MOGUSD/range/1/day/2026-01-01/2026-01-02").json()


def test_errors_reach_the_caller(rest: RESTClient, exchange: Exchange) -> None:
    with pytest.raises(BadResponse, match="not entitled"):
        rest.get_aggs("AAPL", 1, "day", "2026-01-01", "2026-01-02")
    with pytest.raises(BadResponse, match="multiplier"):
        rest.get_aggs("X:BTCUSD", 0, "day", "2026-01-01", "2026-01-02")
    with pytest.raises(BadResponse, match="could not parse"):
        rest.get_aggs("X:BTCUSD", 1, "day", "yesterday", "2026-01-02")
    exchange.fault("auth_failure")
    with pytest.raises(BadResponse, match="Unknown API Key"):
        rest.get_aggs("X:BTCUSD", 1, "day", "2026-01-01", "2026-01-02")


def test_the_stream_client_gets_the_bars(exchange: Exchange) -> None:
    received: list[CurrencyAgg] = []

    async def collect() -> None:
        client = WebSocketClient(
            api_key="key", feed=f"127.0.0.1:{exchange.port}", market="crypto", secure=False,
            subscriptions=["XA.BTC-USD", "XA.DOGE-USD"],
        )

        complete = asyncio.Event()

        async def take(messages: list[Any]) -> None:
            received.extend(messages)
            if len(received) == 6:
                complete.set()

        task = asyncio.create_task(client.connect(take))
        await asyncio.to_thread(_advance, exchange, 3)
        await complete.wait()
        await client.close()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(asyncio.wait_for(collect(), 10))
    assert [bar.pair for bar in received] == ["BTC-USD", "DOGE-USD"] * 3
    assert received[0].end_timestamp == received[2].start_timestamp


def test_the_stream_client_learns_that_its_key_is_refused(exchange: Exchange) -> None:
    exchange.fault("auth_failure")
    client = WebSocketClient(
        api_key="key", feed=f"127.0.0.1:{exchange.port}", market="crypto", secure=False
    )
    with pytest.raises(AuthError, match="authentication failed"):
        client.run(lambda messages: None)


def _advance(exchange: Exchange, number: int) -> None:
    while exchange.get("/clock").json()["subscribers"] == 0:
        time.sleep(0.02)
    exchange.clock(advance_to=exchange.minute(number))

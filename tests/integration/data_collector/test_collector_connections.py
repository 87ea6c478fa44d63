"""No reconnect storms: a cool-down after `max_connections`, and waits that only data makes short again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tracker.testing.exchange import Client, Exchange, Start

from tests.integration.data_collector.collector_station import SYMBOLS, Station, until

if TYPE_CHECKING:
    from tests.integration.data_collector.conftest import MakeStation

COOL_DOWN = 1.0
KEY = "a-shared-key"


@pytest.fixture(scope="module")
def refusing_market(start_exchange: Start) -> Exchange:
    """A paced exchange that sends the newer of two connections with one key away."""
    return start_exchange(
        "--clock", "paced", "--start", "2026-03-02T12:00:00Z", "--symbols", ",".join(SYMBOLS), "--over-cap", "refuse"
    )


async def failures_within(station: Station, seconds: float) -> int:
    """Return how often the collector's connection was sent away in so many seconds."""
    before = station.detail["stream_failures"]
    await asyncio.sleep(seconds)
    return station.detail["stream_failures"] - before


def last_word(client: Client) -> str:
    """Return the next status after the bars."""
    while (message := client.frame()[0])["ev"] != "status":
        continue
    return message["status"]


async def test_an_evicted_collector_waits_before_it_evicts_in_turn(
    market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(market, polygon_api_key=KEY, connection_cool_down_seconds=COOL_DOWN)
    async with station.running():
        await station.connected()
        first = await station.now()
        await station.closed(await station.advance(2))
        # Somebody else with the same key.
        other = await asyncio.to_thread(market.client, KEY)
        await until(lambda: not station.complete, "the eviction")
        await asyncio.to_thread(market.clock, advance_to=market.minute(5))
        assert await failures_within(station, COOL_DOWN / 2) == 0
        assert station.detail["connections"] == 1
        assert "Maximum number of websocket connections" in station.detail["trouble"]
        await station.connected(2)
        assert await asyncio.to_thread(last_word, other) == "max_connections"
        end = await station.advance(2)
        await station.closed(end)
        assert station.detail["connections"] == 2
    await station.check_truth(first, end)


async def test_a_newcomer_that_is_sent_away_asks_once_a_cool_down_and_takes_over_in_the_end(
    refusing_market: Exchange, make_station: MakeStation
) -> None:
    holder = await asyncio.to_thread(refusing_market.client, KEY)
    station = await make_station(refusing_market, polygon_api_key=KEY, connection_cool_down_seconds=COOL_DOWN)
    async with station.running():
        await until(lambda: station.detail["stream_failures"] >= 1, "the first refusal")
        assert 1 <= await failures_within(station, 2.5 * COOL_DOWN) <= 3
        assert not station.complete
        await asyncio.to_thread(refusing_market.clock, advance_to=refusing_market.minute(10))
        # Whoever has the connection keeps it.
        assert (await asyncio.to_thread(holder.frame))[0]["ev"] == "XA"
        await asyncio.to_thread(holder.socket.close)
        await station.connected()
        first = await station.now()
        end = await station.advance(3)
        await station.closed(end)
        assert station.detail["stream_failures"] == 0
    await station.check_truth(first, end)


async def test_only_data_makes_the_next_wait_a_short_one(market: Exchange, make_station: MakeStation) -> None:
    station = await make_station(market)
    async with station.running():
        await station.connected()
        await station.advance(1)
        await station.fault("drop", seconds=1.5)
        await station.advance(1)
        await until(lambda: station.detail["stream_failures"] >= 2, "more than one attempt in vain")
        await station.connected(2)
        # Subscribed and acknowledged, but a connection that brings nothing may be the next to end.
        assert station.detail["stream_failures"] >= 2
        await station.advance(1)
        await until(lambda: station.detail["stream_failures"] == 0, "the first data")

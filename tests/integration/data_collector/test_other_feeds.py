"""What the clients of all vendors have in common: how a connection is opened, watched and told of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx
import pandas as pd
import pytest
from tracker.domain.clock import SystemClock
from tracker.domain.errors import (
    ConfigError,
    FeedAuthError,
    FeedConnectionLimitError,
    FeedError,
    FeedStalledError,
)
from tracker.domain.instrument import Instrument
from tracker.runtime.settings import load_settings
from websockets.asyncio.server import ServerConnection

from services.data_collector.feeds.base import Feed
from services.data_collector.feeds.choice import feed_of
from services.data_collector.feeds.coinbase import CoinbaseFeed
from services.data_collector.feeds.kraken import KrakenFeed
from services.data_collector.feeds.polygon import PolygonFeed
from services.data_collector.settings import CollectorSettings
from tests.integration.data_collector.coinbase_market import (
    acknowledgement,
    beats,
    coinbase,
)
from tests.integration.data_collector.collector_station import until
from tests.integration.data_collector.kraken_market import (
    kraken,
    kraken_answers,
)
from tests.integration.data_collector.recorded_market import (
    FAST,
    LOG,
    Taken,
    Wire,
    instruments_of,
    send,
    streaming,
)

VENDORS = ("coinbase", "kraken", "polygon")


def feed_at(vendor: str, wire: Wire, **settings: Any) -> Feed:
    if vendor == "coinbase":
        return coinbase(wire, lambda _: httpx.Response(200, json=[]), **settings)
    if vendor == "polygon":
        return PolygonFeed(CollectorSettings(**{"polygon_ws_url": wire.url, **FAST, **settings}), SystemClock(), LOG)
    return kraken(wire, **settings)


def named(vendor: str, *symbols: str) -> list[Instrument]:
    """Return instruments as the vendor's stream calls them."""
    return instruments_of("polygon_stream" if vendor == "polygon" else vendor, symbols or ("BTC-USD",))


async def _heartbeats_only(connection: ServerConnection) -> None:
    request = json.loads(await connection.recv())
    moment = datetime(2024, 3, 1, tzinfo=UTC)
    products = request.get("product_ids") or request["params"]["symbol"]
    coinbase_s = "product_ids" in request
    answers = [acknowledgement(products)] if coinbase_s else kraken_answers(products, pd.Timestamp(moment))
    await send(connection, answers)
    while True:
        await send(connection, beats(moment, products) if coinbase_s else [{"channel": "heartbeat"}])
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("vendor", ["coinbase", "kraken"])
async def test_heartbeats_without_data_are_a_stall(vendor: str) -> None:
    taken = Taken()
    async with Wire([_heartbeats_only]).open() as wire:
        feed = feed_at(vendor, wire, stall_seconds=0.5)
        with pytest.raises(FeedStalledError, match="no data for"):
            await feed.stream(instruments_of(vendor, ("BTC-USD",)), taken.items.extend, taken.subscribed)
        await feed.close()
    assert taken.subscriptions == 1


@pytest.mark.parametrize("vendor", ["coinbase", "kraken"])
async def test_silence_without_even_heartbeats_ends_the_connection_sooner(vendor: str) -> None:
    async def silent(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with Wire([silent]).open() as wire:
        feed = feed_at(vendor, wire, heartbeat_stall_seconds=0.5)
        with pytest.raises(FeedStalledError, match="not even a heartbeat for"):
            await feed.stream(instruments_of(vendor, ("BTC-USD",)), list, Taken().subscribed)
        await feed.close()


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (HTTPStatus.TOO_MANY_REQUESTS, FeedConnectionLimitError), (HTTPStatus.SERVICE_UNAVAILABLE, FeedError),
        (HTTPStatus.UNAVAILABLE_FOR_LEGAL_REASONS, FeedAuthError),
    ],
)
async def test_a_connection_that_is_refused_is_told_in_our_own_terms(
    vendor: str, status: HTTPStatus, kind: type[Exception]
) -> None:
    async with Wire([], refuse=status).open() as wire:
        feed = feed_at(vendor, wire)
        with pytest.raises(kind, match=f"HTTP {status.value}") as caught:
            await feed.stream(named(vendor), list, Taken().subscribed)
        await feed.close()
    assert type(caught.value) is kind


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("status", [HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST, HTTPStatus.OK])
async def test_an_address_that_is_no_stream_s_is_told_as_that(vendor: str, status: HTTPStatus) -> None:
    async with Wire([], refuse=status).open() as wire:
        feed = feed_at(vendor, wire)
        said = f"^{vendor.upper()}_WS_URL = {wire.url} does not lead to a stream: the answer is HTTP {status.value}$"
        with pytest.raises(FeedError, match=said):
            await feed.stream(named(vendor), list, Taken().subscribed)
        await feed.close()


@pytest.mark.parametrize("vendor", VENDORS)
async def test_a_host_that_does_not_answer_is_told_as_that(vendor: str) -> None:
    feed = feed_at(vendor, Wire([], port=1))
    with pytest.raises(FeedError, match=r"^ws://127\.0\.0\.1:1 cannot be reached: .*failed"):
        await feed.stream(named(vendor), list, Taken().subscribed)
    await feed.close()


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("address", ["socket.example", "https://socket.example", "ws://", "ws://host:port", "ws://host#part"])
def test_what_is_no_address_is_one_sentence_at_the_start(
    vendor: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = f"{vendor.upper()}_WS_URL"
    monkeypatch.setenv(variable, address)
    with pytest.raises(ConfigError, match=f"environment: {variable} = '{address}': "):
        load_settings(CollectorSettings)


async def test_polygon_s_lost_subscription_is_noticed_and_asked_for_again() -> None:
    """The third symbol says nothing while the others go on; its second subscription is answered, so it was lost."""
    names, taken = ("BTC-USD", "ETH-USD", "DOGE-USD"), Taken()

    def bars(number: int, symbols: Sequence[str]) -> list[dict[str, Any]]:
        start = 1_709_251_200_000 + 60_000 * number
        figures = {"v": 1, "vw": 1, "z": 1, "o": 1, "c": 1, "h": 1, "l": 1, "s": start, "e": start + 60_000}
        return [{"ev": "XA", "pair": each, **figures} for each in symbols]

    def status(word: str, message: str) -> list[dict[str, Any]]:
        return [{"ev": "status", "status": word, "message": message}]

    async with Wire([]).open() as wire:

        async def play(connection: ServerConnection) -> None:
            await send(connection, [status("connected", "Connected Successfully")])
            await wire.hear(connection)
            await send(connection, [status("auth_success", "authenticated")])
            await wire.hear(connection)
            await send(connection, [status("success", f"subscribed to: XA.{each}") for each in names])
            await send(connection, [bars(number, names[:2]) for number in range(20)])
            await wire.hear(connection)
            await send(connection, [status("success", "subscribed to: XA.DOGE-USD"), bars(20, names)])
            await connection.wait_closed()

        wire.plays.append(play)
        async with streaming(feed_at("polygon", wire), named("polygon", *names), taken):
            await until(lambda: len(taken.bars) == 43, "the third symbol's bar")
    assert [each["action"] for each in wire.requests] == ["auth", "subscribe", "subscribe"]
    assert wire.requests[1]["params"] == wire.requests[2]["params"] == "XA.BTC-USD,XA.ETH-USD,XA.DOGE-USD"


@pytest.mark.parametrize("vendor", ["coinbase", "kraken"])
async def test_a_subscription_without_an_answer_is_asked_for_again_and_gone_on_with(vendor: str) -> None:
    """What comes of it the stall watch and the comparison with REST will tell."""
    taken = Taken()

    heard: list[dict[str, Any]] = []

    async def deaf(connection: ServerConnection) -> None:
        async for frame in connection:
            heard.append(json.loads(frame))

    async with Wire([deaf]).open() as wire:
        feed = feed_at(vendor, wire, handshake_seconds=0.3)
        async with streaming(feed, instruments_of(vendor, ("BTC-USD",)), taken):
            await until(lambda: taken.subscriptions == 1, "the deadline")
            await until(lambda: len(heard) >= 2, "the second request")
    assert {"subscribe", "unsubscribe"} & set(map(str, heard[1].values()))


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("coinbase", CoinbaseFeed), ("kraken", KrakenFeed), ("polygon", PolygonFeed), ("simulated", PolygonFeed),
        ("replay", PolygonFeed),
    ],
)
async def test_the_source_chooses_the_client(source: str, kind: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_SOURCE", source)
    feed = feed_of(CollectorSettings(), SystemClock(), LOG)
    assert type(feed) is kind
    await feed.close()

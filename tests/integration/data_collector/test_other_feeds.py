"""What the clients of exchanges without a key have in common, and a collector that lives on each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import asyncpg
import httpx
import pandas as pd
import pytest
from tracker.domain.clock import SystemClock
from tracker.domain.errors import FeedAuthError, FeedConnectionLimitError, FeedError, FeedStalledError
from tracker.domain.timeframe import Timeframe
from tracker.runtime.service import Pulse, run_loop
from tracker.runtime.universe import Universe, UniverseSymbol
from tracker.store.bars import read_watermarks
from tracker.store.database import Database
from websockets.asyncio.server import ServerConnection

from services.data_collector.feeds.base import Feed
from services.data_collector.feeds.choice import feed_of
from services.data_collector.feeds.coinbase import CoinbaseFeed
from services.data_collector.feeds.kraken import KrakenFeed
from services.data_collector.feeds.polygon import PolygonFeed
from services.data_collector.service import DataCollector
from services.data_collector.settings import CollectorSettings
from tests.integration.data_collector.coinbase_market import (
    CoinbaseCandles,
    acknowledgement,
    beats,
    coinbase,
    playing,
    products_of,
    stretched_messages,
    time_of,
    with_beats,
)
from tests.integration.data_collector.collector_station import until, until_async
from tests.integration.data_collector.conftest import OpenDatabase
from tests.integration.data_collector.kraken_market import (
    candle_frame,
    kraken,
    kraken_answers,
    kraken_playing,
    kraken_trades,
    kraken_updates,
)
from tests.integration.data_collector.recorded_market import (
    FAST,
    LOG,
    PRICES,
    Taken,
    Wire,
    bars_of_trades,
    check_equal,
    instruments_of,
    send,
    streaming,
)


def feed_at(vendor: str, wire: Wire, **settings: Any) -> CoinbaseFeed | KrakenFeed:
    if vendor == "coinbase":
        return coinbase(wire, lambda _: httpx.Response(200, json=[]), **settings)
    return kraken(wire, **settings)


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
            await feed.stream(instruments_of(vendor, ("BTC-USD",)), list, Taken().subscribed)
        await feed.close()
    assert type(caught.value) is kind


@pytest.mark.parametrize("vendor", ["coinbase", "kraken"])
async def test_a_subscription_without_an_answer_is_gone_on_with(vendor: str) -> None:
    """What comes of it the stall watch and the comparison with REST will tell."""
    taken = Taken()

    async def deaf(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with Wire([deaf]).open() as wire:
        feed = feed_at(vendor, wire, handshake_seconds=0.3)
        async with streaming(feed, instruments_of(vendor, ("BTC-USD",)), taken):
            await until(lambda: taken.subscriptions == 1, "the deadline")


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


# A collector on each, with a real database.


@asynccontextmanager
async def collecting(feed: Feed, vendor: str, symbols: list[str], database: Database) -> AsyncIterator[DataCollector]:
    """Run a collector of these symbols, named by the vendor's own names."""
    facts = ({"symbol": each.replace("/", "-"), vendor: each} for each in symbols)
    universe = Universe(symbol=tuple(UniverseSymbol.model_validate(each) for each in facts))
    days = {f"backfill_{timeframe}_days": 0 for timeframe in ("1m", "15m", "1h", "1d")}
    settings = CollectorSettings(**{**FAST, **days, "grace_seconds": 0.2})
    clock, wake, stop = SystemClock(), asyncio.Event(), asyncio.Event()
    collector = DataCollector(database, feed, universe, settings, clock, LOG)
    pulse = Pulse(service="data_collector", started_at=clock.now())
    tasks = [
        asyncio.create_task(collector.background(wake)),
        asyncio.create_task(run_loop(collector, 0.05, clock, pulse, stop, wake, LOG)),
    ]
    try:
        yield collector
        for task in tasks:
            if task.done():
                await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def closed(database: Database, moment: pd.Timestamp) -> None:
    """Wait until every minute up to a moment is declared complete."""

    async def reached() -> bool:
        async with database.transaction() as transaction:
            mark = (await read_watermarks(transaction)).get(Timeframe.M1)
        return mark is not None and mark.closed_through >= moment.to_pydatetime()

    await until_async(reached, f"closed through {moment}", 30)


async def stored(url: str) -> pd.DataFrame:
    """Return the minutes in the database, in the form of `bars_of_trades`."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            "SELECT symbol, o.ts, open, high, low, close, volume, vwap, trades FROM tracker.ohlc_data o"
            " JOIN tracker.symbols USING (symbol_id) WHERE timeframe = '1m'"
        )
    finally:
        await connection.close()
    names = ["symbol", "ts", *PRICES, "vwap", "trades"]
    return pd.DataFrame([tuple(row) for row in rows], columns=names).set_index(["symbol", "ts"]).sort_index()


async def test_a_collector_on_coinbase_stores_the_bars_of_the_trades(
    open_database: OpenDatabase, database_url: str
) -> None:
    messages = stretched_messages(60)
    products = products_of(messages)
    candles = CoinbaseCandles(messages)
    end = pd.Timestamp(time_of(messages[-1])).ceil("min")

    def rest(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/time":
            return httpx.Response(200, json={"iso": (end + pd.Timedelta(seconds=3)).isoformat()})
        if request.url.path == "/products":
            return httpx.Response(200, json=[{"id": each, "status": "online"} for each in products[1:]])
        return candles(request)

    database = await open_database("data_collector")
    async with Wire([]).open() as wire:
        playing(wire, with_beats(messages, products))
        async with collecting(coinbase(wire, rest), "coinbase", products, database) as collector:
            await closed(database, end)
            began = min(time_of(each) for each in messages if each["type"] == "match")
            wanted = candles.bars.drop(products[0])
            wanted = wanted[wanted.index.get_level_values(1) >= pd.Timestamp(began).floor("min")]
            await until_async(lambda: _all_stored(database_url, wanted), "REST's minutes too")
            detail = collector.detail()
    assert detail["source"] == "coinbase"
    assert detail["unsupported"] == {products[0]: f"coinbase does not list {products[0]}"}
    found = (await stored(database_url)).loc[wanted.index]
    check_equal(found, wanted, PRICES)
    by_trades = found[found["trades"] > 0]
    assert len(by_trades) > 25
    check_equal(by_trades, wanted.loc[by_trades.index], ("vwap", "trades"))


async def _all_stored(url: str, wanted: pd.DataFrame) -> bool:
    return bool(wanted.index.isin((await stored(url)).index).all())


async def test_a_collector_on_kraken_stores_the_bars_of_the_trades(
    open_database: OpenDatabase, database_url: str
) -> None:
    trades = kraken_trades(30)
    pairs = sorted({each["symbol"] for each in trades})
    wanted = bars_of_trades(trades)
    end = max(each["ts"] for each in trades).ceil("min")
    names = {pair: pair.replace("/", "") for pair in pairs}

    def rest(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("Time"):
            return httpx.Response(200, json={"error": [], "result": {"unixtime": int(end.timestamp()) + 3}})
        if request.url.path.endswith("AssetPairs"):
            listed = {name: {"altname": name, "wsname": pair} for pair, name in names.items()}
            return httpx.Response(200, json={"error": [], "result": listed})
        return httpx.Response(200, json={"error": [], "result": {request.url.params["pair"]: [], "last": 0}})

    last = candle_frame(pairs[0], end, wanted.iloc[0], said_at=end + pd.Timedelta(seconds=3))
    database = await open_database("data_collector")
    async with Wire([]).open() as wire:
        began = min(each["ts"] for each in trades).floor("min")
        kraken_playing(wire, began, [*kraken_updates(trades), last])
        async with collecting(kraken(wire, rest), "kraken", pairs, database):
            await closed(database, end)
    found = await stored(database_url)
    wanted.index = wanted.index.set_levels([each.replace("/", "-") for each in wanted.index.levels[0]], level=0)
    check_equal(found, wanted)

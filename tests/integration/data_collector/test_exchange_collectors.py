"""A collector, with a real database, that lives on each of the exchanges without a key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pandas as pd
from tracker.domain.clock import SystemClock
from tracker.domain.timeframe import Timeframe
from tracker.runtime.service import Pulse, run_loop
from tracker.runtime.universe import Universe, UniverseSymbol
from tracker.store.bars import read_watermarks
from tracker.store.database import Database

from services.data_collector.feeds.base import Feed
from services.data_collector.service import DataCollector
from services.data_collector.settings import CollectorSettings
from tests.integration.data_collector.coinbase_market import (
    CoinbaseCandles,
    coinbase,
    coinbase_rest,
    playing,
    products_of,
    stretched_messages,
    time_of,
    with_beats,
)
from tests.integration.data_collector.collector_station import until_async
from tests.integration.data_collector.conftest import OpenDatabase
from tests.integration.data_collector.kraken_market import (
    candle_frame,
    kraken,
    kraken_playing,
    kraken_rest,
    kraken_trades,
    kraken_updates,
)
from tests.integration.data_collector.recorded_market import (
    FAST,
    LOG,
    PRICES,
    Wire,
    bars_of_trades,
    check_equal,
)


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
    rest = coinbase_rest(messages, products[1:])
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
    rest = kraken_rest(pairs, end + pd.Timedelta(seconds=3))
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

"""Coinbase as it was recorded: its matches, heartbeats between them, and the candles of all trades."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pandas as pd
from tracker.domain.clock import SystemClock
from tracker.domain.timeframe import Timeframe
from websockets.asyncio.server import ServerConnection

from services.data_collector.feeds.coinbase import CoinbaseFeed
from services.data_collector.settings import CollectorSettings
from tests.integration.data_collector.recorded_market import (
    FAST,
    LOG,
    Wire,
    bars_of_trades,
    client_of,
    recorded,
    send,
    stretched,
)


def coinbase_messages() -> list[dict[str, Any]]:
    """Return the recorded matches, the first of each product being history."""
    found = [each for each in recorded("coinbase_matches_2021.txt") if isinstance(each, dict)]
    return [each for each in found if each["type"] in ("match", "last_match")]


def stretched_messages(factor: float) -> list[dict[str, Any]]:
    """Return the recorded matches with their distances in time multiplied, which makes more minutes of them."""
    messages = coinbase_messages()
    origin = Timeframe.M1.floor(min(time_of(each) for each in messages if each["type"] == "match"))
    return [each | {"time": text_of(stretched(time_of(each), origin, factor))} for each in messages]


def coinbase_trades(messages: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "symbol": each["product_id"], "number": each["trade_id"], "price": float(each["price"]),
            "size": float(each["size"]), "ts": pd.Timestamp(each["time"]),
        }
        for each in messages
    ]


class CoinbaseCandles:
    """The REST interface: candles of all trades, of which the newest may be held back."""

    def __init__(self, messages: Iterable[dict[str, Any]]) -> None:
        self.bars = bars_of_trades(coinbase_trades(messages))
        self.known_until = datetime(2100, 1, 1, tzinfo=UTC)
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        product = request.url.path.split("/")[2]
        self.asked.append(product)
        start, end = (pd.Timestamp(request.url.params[name]) for name in ("start", "end"))
        bars = self.bars[self.bars.index.get_level_values(0) == product].droplevel(0)
        chosen = bars[(bars.index >= start) & (bars.index <= end) & (bars.index < self.known_until)]
        rows = [
            [int(ts.timestamp()), row["low"], row["high"], row["open"], row["close"], row["volume"]]
            for ts, row in chosen.to_dict("index").items()
        ]
        return httpx.Response(200, json=rows[::-1])


def coinbase_rest(messages: Sequence[dict[str, Any]], listed: Iterable[str]) -> Callable[..., httpx.Response]:
    """Return an exchange that lists these products, has the candles of the messages, and is three seconds past them."""
    candles, now = CoinbaseCandles(messages), pd.Timestamp(time_of(messages[-1])).ceil("min") + pd.Timedelta(seconds=3)
    products = [{"id": each, "status": "online"} for each in listed]

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/time":
            return httpx.Response(200, json={"iso": now.isoformat()})
        return httpx.Response(200, json=products) if request.url.path == "/products" else candles(request)

    return answer


def time_of(message: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(message["time"])


def text_of(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def beats(moment: datetime, products: Iterable[str], last: int = 0) -> list[dict[str, Any]]:
    return [
        {"type": "heartbeat", "sequence": 1, "last_trade_id": last, "product_id": product, "time": text_of(moment)}
        for product in products
    ]


def with_beats(messages: Sequence[dict[str, Any]], products: Sequence[str]) -> list[dict[str, Any]]:
    """Return the messages with the heartbeats of every tenth second between them, and the last minute's end."""
    live = [each for each in messages if each["type"] == "match"]
    woven: list[dict[str, Any]] = [each for each in messages if each["type"] == "last_match"]
    moment = time_of(live[0])
    for each in live:
        while time_of(each) > moment:
            woven += beats(moment, products)
            moment += timedelta(seconds=10)
        woven.append(each)
    return woven + beats(time_of(live[-1]) + timedelta(minutes=1, seconds=3), products)


def products_of(messages: Iterable[dict[str, Any]]) -> list[str]:
    return sorted({each["product_id"] for each in messages})


def acknowledgement(products: Sequence[str]) -> dict[str, Any]:
    channels = [{"name": name, "product_ids": list(products)} for name in ("matches", "heartbeat")]
    return {"type": "subscriptions", "channels": channels}


def playing(wire: Wire, *batches: Sequence[dict[str, Any]]) -> None:
    """Let the next connection acknowledge, send everything, and stay."""

    async def play(connection: ServerConnection) -> None:
        request = await wire.hear(connection)
        await send(connection, [acknowledgement(request["product_ids"])])
        for batch in batches:
            await send(connection, batch)
        await connection.wait_closed()

    wire.plays.append(play)


def coinbase(wire: Wire, rest: Any, **settings: Any) -> CoinbaseFeed:
    facts = {"coinbase_ws_url": wire.url, "coinbase_rest_url": "http://exchange", **FAST, **settings}
    return CoinbaseFeed(CollectorSettings(**facts), SystemClock(), LOG, client_of(rest))

"""Kraken as it was recorded, in the words of version 2: the recording is of version 1."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pandas as pd
from tracker.domain.clock import SystemClock
from tracker.domain.timeframe import Timeframe
from websockets.asyncio.server import ServerConnection

from services.data_collector.feeds.kraken import KrakenFeed
from services.data_collector.settings import CollectorSettings
from tests.integration.data_collector.recorded_market import (
    FAST,
    LOG,
    PRICES,
    Wire,
    bars_of_trades,
    client_of,
    recorded,
    send,
    stretched,
)


def kraken_trades(factor: float) -> list[dict[str, Any]]:
    """Return the recorded trades; the recording is of version 1, whose trade channel is all it has."""
    messages = [each for each in recorded("kraken_v1_2021.txt") if isinstance(each, list)]
    raw = [(each[3], *row[:3]) for each in messages for row in each[1]]
    moments = [datetime.fromtimestamp(float(seconds), UTC) for _, _, _, seconds in raw]
    origin = Timeframe.M1.floor(min(moments))
    return [
        {
            "symbol": pair, "number": number, "price": float(price), "size": float(size),
            "ts": pd.Timestamp(stretched(moment, origin, factor)),
        }
        for number, ((pair, price, size, _), moment) in enumerate(zip(raw, moments, strict=True))
    ]


def kraken_updates(trades: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what version 2 sends of these trades: the candle of the minute as it stands after each."""
    updates = []
    for index, trade in enumerate(trades):
        bars = bars_of_trades(trades[: index + 1])
        row = bars.loc[(trade["symbol"], trade["ts"].floor("min"))]
        updates.append(candle_frame(trade["symbol"], trade["ts"].floor("min"), row, said_at=trade["ts"]))
    return updates


def candle_frame(
    pair: str, begin: pd.Timestamp, row: pd.Series, *, said_at: pd.Timestamp, kind: str = "update"
) -> dict[str, Any]:
    figures = {name: float(row[name]) for name in (*PRICES, "vwap")}
    candle = {
        "symbol": pair, **figures, "trades": int(row["trades"]), "interval": 1,
        "interval_begin": begin.strftime("%Y-%m-%dT%H:%M:%S.000000000Z"),
        "timestamp": (begin + pd.Timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
    }
    stamp = said_at.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
    return {"channel": "ohlc", "type": kind, "timestamp": stamp, "data": [candle]}


def kraken_answers(pairs: Iterable[str], said_at: pd.Timestamp) -> list[dict[str, Any]]:
    return [
        {
            "method": "subscribe", "success": True, "time_out": said_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "result": {"channel": "ohlc", "interval": 1, "snapshot": True, "symbol": pair},
        }
        for pair in pairs
    ]


def kraken_playing(wire: Wire, said_at: pd.Timestamp, *batches: Sequence[dict[str, Any]]) -> None:
    """Let the next connection greet, acknowledge every pair, send everything, and stay with heartbeats."""

    async def play(connection: ServerConnection) -> None:
        await send(connection, [{"channel": "status", "type": "update", "data": [{"system": "online"}]}])
        request = await wire.hear(connection)
        await send(connection, kraken_answers(request["params"]["symbol"], said_at))
        for batch in batches:
            await send(connection, [each for message in batch for each in ({"channel": "heartbeat"}, message)])
        while True:
            await send(connection, [{"channel": "heartbeat"}])
            await asyncio.sleep(0.05)

    wire.plays.append(play)


def kraken_rest(pairs: Iterable[str], now: pd.Timestamp) -> Callable[[httpx.Request], httpx.Response]:
    """Return an exchange that lists these pairs and keeps no candles."""
    listed = {each.replace("/", ""): {"altname": each.replace("/", ""), "wsname": each} for each in pairs}

    def answer(request: httpx.Request) -> httpx.Response:
        results = {
            "Time": {"unixtime": int(now.timestamp())}, "AssetPairs": listed,
            "OHLC": {str(request.url.params.get("pair")): [], "last": 0},
        }
        return httpx.Response(200, json={"error": [], "result": results[request.url.path.rsplit("/", 1)[1]]})

    return answer


def unanswered(_: httpx.Request) -> httpx.Response:
    return httpx.Response(500)


def kraken(wire: Wire, rest: Callable[[httpx.Request], httpx.Response] = unanswered, **settings: Any) -> KrakenFeed:
    facts = {"kraken_ws_url": wire.url, "kraken_rest_url": "http://exchange", **FAST, **settings}
    return KrakenFeed(CollectorSettings(**facts), SystemClock(), LOG, client_of(rest))

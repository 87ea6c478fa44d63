"""Recorded sessions of real exchanges, played over a local WebSocket, and the bars of their trades by plain pandas."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from tracker.domain.bar import Bar
from tracker.domain.instrument import Instrument
from tracker.runtime.logging import configure_logging
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from services.data_collector.buffer import Item
from services.data_collector.feeds.base import Feed

RECORDINGS = Path(__file__).resolve().parents[4] / "shared" / "data" / "recordings"
# What a test of a feed need not wait for.
FAST: dict[str, Any] = {
    "longest_backoff_seconds": 0.05, "rest_attempts": 2, "rest_requests_per_minute": 1e6, "handshake_seconds": 2,
    "candle_repair_seconds": 0.05, "reconcile_seconds": 0.2, "exchange_grace_seconds": 2,
}
PRICES = ("open", "high", "low", "close", "volume")
LOG = configure_logging("test", "CRITICAL")
Play = Callable[[ServerConnection], Awaitable[None]]


def recorded(name: str) -> list[dict[str, Any] | list[Any]]:
    """Return what an exchange sent in a recorded session; skips where the recording is not there."""
    path = RECORDINGS / name
    if not path.is_file():
        pytest.skip(f"../shared/data/recordings/{name} is not there")
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("wss://")]
    return [json.loads(line.split(": ", 1)[1]) for line in lines]


def bars_of_trades(trades: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Return open, high, low, close, volume, vwap and trades by symbol and minute.

    A trade has symbol, number, price, size and a pandas timestamp `ts`.
    """
    frame = pd.DataFrame(list(trades)).sort_values("number")
    frame["turnover"] = frame["price"] * frame["size"]
    grouped = frame.groupby(["symbol", frame["ts"].dt.floor("min")])
    bars = grouped["price"].agg(open="first", high="max", low="min", close="last")
    bars["volume"] = grouped["size"].sum()
    bars["vwap"] = grouped["turnover"].sum() / bars["volume"]
    bars["trades"] = grouped["price"].count()
    return bars.sort_index()


def frame_of(bars: Iterable[Bar]) -> pd.DataFrame:
    """Return bars in the form of `bars_of_trades`; of several for one minute the last counts."""
    names = ("open", "high", "low", "close", "volume", "vwap", "trades")
    rows = {(bar.symbol, pd.Timestamp(bar.ts)): [getattr(bar, name) for name in names] for bar in bars}
    index = pd.MultiIndex.from_tuples(list(rows), names=["symbol", "ts"])
    return pd.DataFrame(list(rows.values()), index=index, columns=list(names)).sort_index()


def check_equal(found: pd.DataFrame, wanted: pd.DataFrame, columns: Sequence[str] = ()) -> None:
    """Raise AssertionError where bars differ by more than the last digit of a float sum."""
    chosen = list(columns or wanted.columns)
    pd.testing.assert_frame_equal(
        found[chosen], wanted[chosen], check_dtype=False, check_index_type=False, rtol=1e-12, atol=0
    )


@dataclass
class Wire:
    """A vendor on a local port: `plays` are what its stream does on its first, second... connection.

    `rest` answers whoever asks the same port without wanting a stream.
    """

    plays: list[Play]
    port: int = 0
    refuse: HTTPStatus | None = None
    rest: Callable[[httpx.Request], httpx.Response] | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Wire]:
        async with serve(self._serve, "127.0.0.1", 0, process_request=self._judge) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self

    async def _judge(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.rest is not None and "Upgrade" not in request.headers:
            answer = self.rest(httpx.Request("GET", f"{self.host}{request.path}"))
            return connection.respond(HTTPStatus(answer.status_code), answer.text)
        return connection.respond(self.refuse, "") if self.refuse is not None else None

    async def _serve(self, connection: ServerConnection) -> None:
        await self.plays.pop(0)(connection)

    async def hear(self, connection: ServerConnection) -> dict[str, Any]:
        """Return the client's next request."""
        request = json.loads(await connection.recv())
        self.requests.append(request)
        return request


async def send(connection: ServerConnection, messages: Iterable[Any]) -> None:
    for message in messages:
        await connection.send(json.dumps(message))


@dataclass
class Taken:
    """What a feed handed on, and how often it was subscribed."""

    items: list[Item] = field(default_factory=list)
    subscriptions: int = 0

    @property
    def bars(self) -> list[Bar]:
        return [item for item in self.items if isinstance(item, Bar)]

    async def subscribed(self) -> None:
        self.subscriptions += 1
        await asyncio.Event().wait()


@asynccontextmanager
async def streaming(feed: Feed, instruments: Sequence[Instrument], taken: Taken) -> AsyncIterator[asyncio.Task[None]]:
    """Run the feed's stream; what it raised is raised at the end, unless the test has fetched it."""
    task = asyncio.create_task(feed.stream(instruments, taken.items.extend, taken.subscribed))
    try:
        yield task
        if task.done() and not task.cancelled() and (failure := task.exception()):
            raise failure
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await feed.close()


def client_of(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


def stretched(moment: datetime, origin: datetime, factor: float) -> datetime:
    """Return a moment `factor` times as far from `origin`: real trades over more minutes than were recorded."""
    return origin + timedelta(seconds=round((moment - origin).total_seconds() * factor, 6))


def instruments_of(vendor: str, symbols: Iterable[str]) -> list[Instrument]:
    return [Instrument(symbol_id=0, symbol=each, vendor_tickers={vendor: each}) for each in symbols]


def holds(taken: Taken, wanted: pd.DataFrame) -> bool:
    """Tell whether the bars that were taken last are these, by their prices and volume."""
    if not taken.bars:
        return False
    found = frame_of(taken.bars)
    if not wanted.index.isin(found.index).all():
        return False
    difference = (found.loc[wanted.index, list(PRICES)] - wanted[list(PRICES)]).abs()
    return bool((difference <= 1e-9 * wanted[list(PRICES)].abs()).all().all())

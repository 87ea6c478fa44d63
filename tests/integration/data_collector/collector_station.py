"""A collector at a real exchange and a real database, and what the two of them say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
from tracker.domain.clock import SystemClock
from tracker.domain.errors import DatabaseUnavailableError
from tracker.domain.timeframe import Timeframe
from tracker.runtime.logging import configure_logging
from tracker.runtime.service import Pulse, run_loop
from tracker.runtime.universe import PolygonTickers, Universe, UniverseSymbol
from tracker.store.bars import Watermark, read_watermarks
from tracker.store.database import Database
from tracker.testing.exchange import Exchange

from services.data_collector.feeds.polygon import PolygonFeed
from services.data_collector.service import DataCollector
from services.data_collector.settings import CollectorSettings

START_OF_TIME = datetime(1970, 1, 1, tzinfo=UTC)
SYMBOLS = ("BTC-USD", "ETH-USD", "DOGE-USD")
Values = tuple[float, float, float, float, float]


def universe_of(symbols: Iterable[str]) -> Universe:
    """Return a universe with Polygon's tickers."""
    return Universe(
        symbol=tuple(
            UniverseSymbol(symbol=each, polygon=PolygonTickers(stream=each, rest=rest_ticker(each)))
            for each in symbols
        )
    )


def rest_ticker(symbol: str) -> str:
    return "X:" + symbol.replace("-", "")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def iso(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Station:
    """One collector; `key` keeps its connection apart from those of other tests."""

    exchange: Exchange
    database: Database
    url: str
    key: str
    symbols: tuple[str, ...] = SYMBOLS
    settings: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    refuse_history: bool = False
    answers_held: asyncio.Event = field(default_factory=asyncio.Event)
    answered: int = 0
    collector: DataCollector = field(init=False)
    pulse: Pulse = field(init=False)

    def __post_init__(self) -> None:
        self.held.set()
        self.answers_held.set()
        log = configure_logging("test", "ERROR")
        settings = CollectorSettings(**{
            "polygon_ws_url": f"ws://127.0.0.1:{self.exchange.port}/crypto",
            "polygon_rest_url": f"http://127.0.0.1:{self.exchange.port}",
            "polygon_api_key": self.key,
            "grace_seconds": 0.3, "connection_cool_down_seconds": 0.3, "longest_backoff_seconds": 0.3,
            "breaker_cool_down_seconds": 0.1, "handshake_seconds": 2,
            "backfill_1m_days": 0, "backfill_15m_days": 0, "backfill_1h_days": 0, "backfill_1d_days": 0,
            **self.settings,
        })
        client = httpx.AsyncClient(verify=False, timeout=20, event_hooks={
            "request": [self._note], "response": [self._hold_answer],
        })
        clock = SystemClock()
        feed = PolygonFeed(settings, clock, log, client)
        self.collector = DataCollector(self.database, feed, universe_of(self.symbols), settings, clock, log)

    async def _note(self, request: httpx.Request) -> None:
        self.asked.append(request.url.path)
        if self.refuse_history and "/range/" in request.url.path:
            raise httpx.ConnectError("no history today")
        await self.held.wait()

    async def _hold_answer(self, response: httpx.Response) -> None:
        if "/range/" in response.request.url.path:
            self.answered += 1
            await self.answers_held.wait()

    @property
    def detail(self) -> dict[str, Any]:
        return self.collector.detail()

    @asynccontextmanager
    async def running(self, *, loop: bool = True) -> AsyncIterator[Station]:
        """Run the background, and the service loop unless the test takes its turns itself."""
        wake, stop = asyncio.Event(), asyncio.Event()
        clock = SystemClock()
        pulse = self.pulse = Pulse(service="data_collector", started_at=clock.now())
        log = configure_logging("test", "CRITICAL")
        tasks = [asyncio.create_task(self.collector.background(wake))]
        if loop:
            tasks.append(asyncio.create_task(run_loop(self.collector, 0.05, clock, pulse, stop, wake, log)))
        try:
            yield self
            for task in tasks:
                if task.done():
                    await task
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def connected(self, times: int = 1) -> None:
        """Wait until the collector has connected so often, and has the history it starts with."""
        await until(lambda: self.detail["connections"] >= times and self.complete, f"{times} connections")

    @property
    def complete(self) -> bool:
        return self.collector._recovery.complete

    async def now(self) -> datetime:
        """Return the exchange's time."""
        state = await asyncio.to_thread(self.exchange.get, "/clock")
        return moment(state.json()["now"])

    async def advance(self, minutes: int) -> datetime:
        """Move the exchange on and return its new time."""
        return await self.advance_to(await self.now() + timedelta(minutes=minutes))

    async def advance_to(self, when: datetime) -> datetime:
        await asyncio.to_thread(lambda: self.exchange.clock(advance_to=iso(when)))
        return when

    async def fault(self, kind: str, **order: Any) -> None:
        await asyncio.to_thread(lambda: self.exchange.fault(kind, **order))

    async def watermarks(self) -> dict[Timeframe, Watermark]:
        async with self.database.transaction() as transaction:
            return await read_watermarks(transaction)

    async def closed(self, when: datetime, timeframe: Timeframe = Timeframe.M1) -> None:
        """Wait until everything that ends by `when` is declared complete."""

        async def reached() -> bool:
            with suppress(DatabaseUnavailableError):
                mark = (await self.watermarks()).get(timeframe)
                return mark is not None and mark.closed_through >= when
            return False

        await until_async(reached, f"{timeframe} closed through {when}")

    async def closed_nothing(self) -> None:
        """Raise AssertionError where any bucket is declared complete."""
        assert await self.watermarks() == {}

    async def rows(self, query: str, *arguments: object) -> list[Any]:
        """Run a query as the owner."""
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    async def stored(self, symbol: str, timeframe: str = "1m") -> dict[datetime, Values]:
        """Return what the database holds of a symbol."""
        found = await self.rows(
            "SELECT o.ts, open, high, low, close, volume FROM tracker.ohlc_data o"
            " JOIN tracker.symbols USING (symbol_id) WHERE symbol = $1 AND timeframe = $2 ORDER BY o.ts",
            symbol, timeframe,
        )
        return {row[0]: tuple(row[1:]) for row in found}

    async def truth(
        self, symbol: str, first: datetime, end: datetime, timeframe: Timeframe = Timeframe.M1
    ) -> dict[datetime, Values]:
        """Return what the exchange's REST interface says of the bars that open in [first, end)."""
        count, unit = {60: (1, "minute"), 300: (5, "minute"), 900: (15, "minute"), 3600: (1, "hour")}.get(
            timeframe.seconds, (1, "day")
        )
        path = (
            f"/v2/aggs/ticker/{rest_ticker(symbol)}/range/{count}/{unit}"
            f"/{int(first.timestamp() * 1000)}/{int(end.timestamp() * 1000) - 1}?limit=50000"
        )
        rows = await asyncio.to_thread(self.exchange.bars, path)
        return {
            datetime.fromtimestamp(row["t"] / 1000, UTC): (row["o"], row["h"], row["l"], row["c"], row["v"])
            for row in rows
        }

    async def check_truth(self, first: datetime, end: datetime) -> None:
        """Raise AssertionError where stored minutes or closed roll-ups are not what the exchange says."""
        for symbol in self.symbols:
            assert await self.stored(symbol) == await self.truth(symbol, first, end), symbol
            for timeframe in (Timeframe.M5, Timeframe.M15):
                whole = timeframe.floor(end)
                wanted = await self.truth(symbol, first, whole, timeframe) if first < whole else {}
                found = {ts: bar for ts, bar in (await self.stored(symbol, timeframe)).items() if ts < whole}
                assert found == wanted, (symbol, timeframe)

    async def check_latest(self) -> None:
        """Raise AssertionError where latest_bar is not the newest stored bar of each symbol and timeframe."""
        columns = "symbol_id, timeframe::text, ts, open, high, low, close, volume"
        latest = await self.rows(f"SELECT {columns} FROM tracker.latest_bar ORDER BY 1, 2")
        newest = await self.rows(
            f"SELECT DISTINCT ON (symbol_id, timeframe::text) {columns} FROM tracker.ohlc_data"
            " ORDER BY symbol_id, timeframe::text, ts DESC"
        )
        assert [tuple(row) for row in latest] == [tuple(row) for row in newest]

    async def rejections(self) -> list[Any]:
        return await self.rows("SELECT symbol, ts, reason, frame FROM tracker.rejected_bars ORDER BY rejection_id")


async def until(reached: Callable[[], bool], what: str, seconds: float = 15) -> None:
    """Wait for a condition."""

    async def asynchronously() -> bool:
        return reached()

    await until_async(asynchronously, what, seconds)


async def until_async(reached: Callable[[], Awaitable[bool]], what: str, seconds: float = 15) -> None:
    """Wait for a condition that is itself awaited."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await reached():
        assert asyncio.get_running_loop().time() < deadline, f"never came about: {what}"
        await asyncio.sleep(0.02)

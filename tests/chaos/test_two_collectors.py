"""Two real collectors at one exchange: one streams, and when it is killed the other goes on without a hole."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest
from tracker.runtime.settings import environment
from tracker.store.database import Database
from tracker.store.status import ServiceSign, read_status
from tracker.testing.exchange import Exchange, exchanges

SYMBOLS = ("BTC-USD", "ETH-USD", "SOL-USD")
TAKEOVER_SECONDS = 15
Open = Callable[[str | None], Awaitable[Database]]


@dataclass(slots=True)
class Collector:
    """A collector process."""

    process: asyncio.subprocess.Process
    port: int

    async def health(self) -> dict[str, Any]:
        async with httpx.AsyncClient(verify=False) as client:
            try:
                return (await client.get(f"http://127.0.0.1:{self.port}/health")).json()
            except httpx.TransportError:
                assert self.process.returncode is None, "the collector ended"
                return {"detail": {}, "status": None}

    async def is_(self, role: str) -> None:
        async def so() -> bool:
            health = await self.health()
            return health["detail"].get("role") == role and health["status"] == "pass"

        await until(so, f"a {role}")


@asynccontextmanager
async def collector(url: str, exchange: Exchange) -> AsyncIterator[Collector]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "DATABASE_URL": url, "PORT": str(port), "POLYGON_API_KEY": "one-key", "TRACKER_SOURCE": "polygon",
        "POLYGON_WS_URL": f"ws://127.0.0.1:{exchange.port}/crypto", "HEARTBEAT_SECONDS": "0.5",
        "POLYGON_REST_URL": f"http://127.0.0.1:{exchange.port}", "LOG_LEVEL": "WARNING",
        **{f"DATA_COLLECTOR_BACKFILL_{each}_DAYS": "0" for each in ("1M", "15M", "1H", "1D")},
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.data_collector", env={**environment(), **settings}, stdout=-3
    )
    try:
        yield Collector(process, port)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until(reached: Callable[[], Awaitable[bool]], what: str, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not await reached():
        assert time.monotonic() < deadline, f"never came about: {what}"
        await asyncio.sleep(0.05)


@dataclass(slots=True)
class Watch:
    """Counts the connections at the exchange for as long as the block lasts."""

    exchange: Exchange
    most: int = 0

    async def __aenter__(self) -> Watch:
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            health = await asyncio.to_thread(self.exchange.get, "/health")
            self.most = max(self.most, health.json()["counts"]["connections"])
            await asyncio.sleep(0.1)

    _task: asyncio.Task[None] | None = None


async def rows(url: str, query: str, *arguments: object) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(query, *arguments)
    finally:
        await connection.close()


async def closed_through(url: str) -> datetime | None:
    found = await rows(url, "SELECT closed_through FROM tracker.bar_watermarks WHERE timeframe = '1m'")
    return found[0][0] if found else None


async def stored_on(url: str, exchange: Exchange, minutes: int) -> None:
    """Wait until everything up to a moment so far from now is declared complete."""
    state = await asyncio.to_thread(exchange.get, "/clock")
    goal = datetime.fromisoformat(state.json()["now"]).timestamp() + 60 * minutes

    async def reached() -> bool:
        moment = await closed_through(url)
        return moment is not None and moment.timestamp() >= goal

    await until(reached, f"{minutes} more minutes")


async def check_truth(url: str, exchange: Exchange) -> int:
    """Raise AssertionError where a stored minute is not what the exchange says; return how many there are."""
    [[first, end]] = await rows(
        url, "SELECT opened_at, closed_through FROM tracker.bar_watermarks WHERE timeframe = '1m'"
    )
    count = 0
    for symbol in SYMBOLS:
        found = await rows(
            url,
            "SELECT o.ts, open, high, low, close, volume FROM tracker.ohlc_data o"
            " JOIN tracker.symbols USING (symbol_id)"
            " WHERE symbol = $1 AND timeframe = '1m' AND o.ts >= $2 AND o.ts < $3 ORDER BY o.ts",
            symbol, first, end,
        )
        path = (
            f"/v2/aggs/ticker/X:{symbol.replace('-', '')}/range/1/minute"
            f"/{int(first.timestamp() * 1000)}/{int(end.timestamp() * 1000) - 1}?limit=50000"
        )
        truth = await asyncio.to_thread(exchange.bars, path)
        wanted = [
            (datetime.fromtimestamp(row["t"] / 1000, UTC), row["o"], row["h"], row["l"], row["c"], row["v"])
            for row in truth
        ]
        assert [tuple(row) for row in found] == wanted, symbol
        count += len(wanted)
    return count


async def signs(database: Database) -> list[ServiceSign]:
    async with database.transaction() as transaction:
        return list((await read_status(transaction)).services)


@pytest.mark.timeout(180)
async def test_the_standby_goes_on_within_15_seconds_of_a_kill_and_at_once_after_a_clean_end(
    database_url: str, open_database: Open
) -> None:
    database = await open_database(None)
    with exchanges() as start:
        # A minute a second: what a takeover misses is to be seen.
        exchange = start("--clock", "60x", "--start", "2026-03-02T12:00:00Z", "--symbols", ",".join(SYMBOLS))
        async with (
            Watch(exchange) as watch,
            collector(database_url, exchange) as one,
        ):
            await one.is_("holder")
            async with collector(database_url, exchange) as two:
                await two.is_("standby")
                await stored_on(database_url, exchange, 5)

                async def both() -> bool:
                    return sorted(str(each.role) for each in await signs(database)) == ["holder", "standby"]

                await until(both, "both heartbeats")
                assert {each.pid for each in await signs(database)} == {one.process.pid, two.process.pid}

                one.process.kill()
                killed = time.monotonic()

                async def streams() -> bool:
                    detail = (await two.health())["detail"]
                    return detail.get("role") == "holder" and detail["received"] > 0

                await until(streams, "the takeover")
                takeover = time.monotonic() - killed
                sys.stdout.write(f"take-over after kill -9: {takeover:.1f} s\n")
                assert takeover < TAKEOVER_SECONDS
                await stored_on(database_url, exchange, 5)

                async with collector(database_url, exchange) as three:
                    await three.is_("standby")
                    two.process.terminate()
                    ended = time.monotonic()
                    await three.is_("holder")
                    sys.stdout.write(f"take-over after SIGTERM: {time.monotonic() - ended:.1f} s\n")
                    assert await two.process.wait() == 0
                    await stored_on(database_url, exchange, 5)
                    count = await check_truth(database_url, exchange)
                    assert [each.role for each in await signs(database) if each.pid == three.process.pid] == ["holder"]
        assert count > 3 * 20
        assert watch.most == 1

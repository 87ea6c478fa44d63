"""A real monitor sees a real collector stall, die and come back, and forgets nothing when it is itself killed."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tracker.runtime.settings import environment
from tracker.testing.exchange import Exchange, exchanges

BEAT = "heartbeat data_collector"
FEED = "feed connected"


@dataclass(slots=True)
class Process:
    """A service's process and its port."""

    process: asyncio.subprocess.Process
    port: int

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def killed(self) -> None:
        self.process.kill()
        await self.process.wait()

    async def findings(self) -> dict[str, dict[str, Any]]:
        """Return what the monitor has found, by name; nothing while it does not answer."""
        async with httpx.AsyncClient() as client:
            try:
                body = (await client.get(f"http://127.0.0.1:{self.port}/health")).json()
            except httpx.TransportError:
                return {}
        return {each["name"]: each for each in body.get("findings", [])}


@asynccontextmanager
async def running(module: str, url: str, **settings: str) -> AsyncIterator[Process]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"services.{module}", stdout=-3,
        env={**environment(), "DATABASE_URL": url, "PORT": str(port), "HEARTBEAT_SECONDS": "0.5", **settings},
    )
    try:
        yield Process(process, port)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def collecting(url: str, exchange: Exchange):
    return running(
        "data_collector", url, POLYGON_API_KEY="one-key", TRACKER_SOURCE="polygon", LOG_LEVEL="WARNING",
        POLYGON_WS_URL=f"ws://127.0.0.1:{exchange.port}/crypto",
        POLYGON_REST_URL=f"http://127.0.0.1:{exchange.port}",
        **{f"DATA_COLLECTOR_BACKFILL_{each}_DAYS": "0" for each in ("1M", "15M", "1H", "1D")},
    )


def watching(url: str):
    return running(
        "health_monitor", url, LOG_LEVEL="CRITICAL", HEALTH_MONITOR_SERVICES="data_collector",
        HEALTH_MONITOR_EVERY_SECONDS="0.5", HEALTH_MONITOR_SLOW_EVERY_SECONDS="0.5",
        HEALTH_MONITOR_HEARTBEAT_LIMIT_SECONDS="5", HEALTH_MONITOR_STREAM_FAILURES_LIMIT="0",
    )


Holds = Callable[[dict[str, Any]], bool]


async def until(monitor: Process, name: str, holds: Holds, seconds: float = 40) -> dict[str, Any]:
    """Return a finding once it is as wanted."""
    deadline = time.monotonic() + seconds
    while True:
        found = (await monitor.findings()).get(name)
        if found is not None and holds(found):
            return found
        assert time.monotonic() < deadline, f"{name}: {found}"
        await asyncio.sleep(0.1)


def well(found: dict[str, Any]) -> bool:
    return found["ok"]


def broken(found: dict[str, Any]) -> bool:
    return not found["ok"]


@pytest.mark.timeout(240)
async def test_a_stall_a_death_and_a_lost_exchange_are_seen_and_so_is_their_end(database_url: str) -> None:
    with exchanges() as start:
        exchange = start("--clock", "60x", "--start", "2026-03-02T12:00:00Z", "--symbols", "BTC-USD")
        async with watching(database_url) as monitor:
            assert "no heartbeat ever" in (await until(monitor, BEAT, broken))["observed"]
            async with collecting(database_url, exchange) as collector:
                await until(monitor, BEAT, well)
                await until(monitor, FEED, well)

                collector.tell(signal.SIGSTOP)
                stalled = await until(monitor, BEAT, broken)
                assert stalled["observed"].startswith("holder: pass, ")
                collector.tell(signal.SIGCONT)
                await until(monitor, BEAT, well)
                # Its lease may have ended meanwhile: it takes it anew.
                await until(monitor, FEED, well)

                exchange.process.kill()
                lost = await until(monitor, FEED, broken)
                assert "failures in a row" in lost["observed"]
                await collector.killed()
            await until(monitor, BEAT, broken)
            since = (await until(monitor, FEED, broken))["since"]

            await monitor.killed()
        # The one that comes after it knows since when.
        async with watching(database_url) as monitor:
            assert (await until(monitor, FEED, broken))["since"] == since
            another = start("--clock", "60x", "--start", "2026-03-02T13:00:00Z", "--symbols", "BTC-USD")
            async with collecting(database_url, another):
                await until(monitor, BEAT, well)
                await until(monitor, FEED, well, seconds=90)

"""A database that takes no writes stops no process: each says what is wrong, waits, and goes on by itself."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import httpx
import pytest
from tracker.runtime.settings import environment

# The paper trader opens its accounts where bars begin.
COLLECTED = (
    "INSERT INTO tracker.bar_watermarks (timeframe, opened_at, closed_through)"
    " VALUES ('1m', '2024-01-01 00:00Z', '2024-01-01 01:00Z')"
)
# Each has something to write from its first run on, or is to live through it all the same.
SERVICES: dict[str, tuple[str, ...]] = {
    "feature_calculator": ("-m", "services.feature_calculator"),
    "strategy_scanner_dca": ("-m", "services.strategy_scanner", "--strategy", "dca"),
    "paper_trader": ("-m", "services.paper_trader"),
    "health_monitor": ("-m", "services.health_monitor"),
}
WRITERS = {"health_monitor", "paper_trader"}


async def administer(url: str, statement: str) -> None:
    name = url.partition("@/")[2].partition("?")[0]
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(statement.format(name=name))
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()


async def health(port: int) -> dict[str, Any]:
    async with httpx.AsyncClient(verify=False) as client:
        try:
            return (await client.get(f"http://127.0.0.1:{port}/health")).json()
        except httpx.TransportError:
            return {}


async def until(reached: Callable[[], Awaitable[bool]], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not await reached():
        assert time.monotonic() < deadline, f"never came about: {what}"
        await asyncio.sleep(0.2)


@pytest.mark.timeout(240)
async def test_every_service_lives_through_a_read_only_database(database_url: str) -> None:
    await administer(database_url, COLLECTED)
    await administer(database_url, 'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    running: dict[str, tuple[asyncio.subprocess.Process, int]] = {}
    async with AsyncExitStack() as stack:
        for name, command in SERVICES.items():
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            settings = {
                "DATABASE_URL": database_url, "PORT": str(port), "HEALTH_MONITOR_EVERY_SECONDS": "0.2",
                "POLL_SECONDS": "0.2", "LOG_LEVEL": "ERROR",
            }
            process = await asyncio.create_subprocess_exec(
                sys.executable, *command, env={**environment(), **settings}, stdout=-3
            )
            stack.callback(lambda each=process: each.returncode is None and each.kill())
            running[name] = (process, port)

        async def told(name: str) -> bool:
            return "the database is read-only" in str((await health(running[name][1])).get("output"))

        async def well(name: str) -> bool:
            found = await health(running[name][1])
            # The monitor speaks of the whole fleet first, most of which is not there.
            return found.get("monitor", found).get("status") == "pass"

        for name in WRITERS:
            await until(lambda name=name: told(name), f"the alert of {name}")
        for name in SERVICES.keys() - WRITERS:
            await until(lambda name=name: well(name), f"an idle {name}")
        assert {name: process.returncode for name, (process, _) in running.items()} == dict.fromkeys(SERVICES)
        await administer(database_url, 'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        for name in SERVICES:
            await until(lambda name=name: well(name), f"a well {name}")
        for process, _ in running.values():
            process.terminate()
        assert [await process.wait() for process, _ in running.values()] == [0] * len(SERVICES)

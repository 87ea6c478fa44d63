"""The page and its data, read by a role that cannot write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI
from tracker.domain.clock import SystemClock
from tracker.domain.errors import ConfigError, SchemaError
from tracker.runtime.settings import load_settings
from tracker.store.bars import ensure_partitions, upsert_bars
from tracker.store.database import Database
from tracker.store.symbols import read_symbols, write_symbols
from tracker.testing.builders import START, make_bar, make_instrument

from services.dashboard.service import Dashboard
from services.dashboard.settings import DashboardSettings

OpenDatabase = Callable[[str | None], Awaitable[Database]]


def settings(**overrides: object) -> DashboardSettings:
    return load_settings(DashboardSettings, {"source": "simulated", "host": "127.0.0.1", **overrides})


async def client_of(dashboard: Dashboard) -> httpx.AsyncClient:
    app = FastAPI()
    dashboard.mount(app)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page")


async def test_an_empty_database_gives_an_empty_overview_and_a_page(open_database: OpenDatabase) -> None:
    dashboard = Dashboard(await open_database("dashboard"), settings(), SystemClock())
    await dashboard.run_once()
    async with await client_of(dashboard) as client:
        overview = (await client.get("/api/overview")).json()
        page = await client.get("/")
    assert overview["source"] == "simulated"
    assert overview["market"] == []
    assert overview["equity"] == []
    assert page.status_code == 200
    assert "/api/overview" in page.text


async def test_stored_bars_appear_with_price_and_chart(open_database: OpenDatabase) -> None:
    collector = await open_database("data_collector")
    async with collector.transaction() as transaction:
        await write_symbols(transaction, [make_instrument("BTC-USD"), make_instrument("ETH-USD")])
        numbers = {each.symbol: each.symbol_id for each in await read_symbols(transaction)}
        await ensure_partitions(transaction, START, START)
        await upsert_bars(transaction, [make_bar(minute, close=100.0 + minute) for minute in range(5)], numbers)
        await transaction.commit()
    dashboard = Dashboard(await open_database("dashboard"), settings(), SystemClock())
    await dashboard.run_once()
    async with await client_of(dashboard) as client:
        overview = (await client.get("/api/overview")).json()
        minutes = (await client.get("/api/minutes/BTC-USD")).json()
        unknown = (await client.get("/api/minutes/NOPE-USD")).json()
    assert [(each["symbol"], each["price"]) for each in overview["market"]] == [("BTC-USD", 104.0)]
    assert {each["symbol"]: each["live"] for each in overview["symbols"]} == {"BTC-USD": True, "ETH-USD": False}
    assert [each["close"] for each in minutes] == [100.0, 101.0, 102.0, 103.0, 104.0]
    assert unknown == []


async def test_the_dashboard_cannot_write_bars(open_database: OpenDatabase) -> None:
    database = await open_database("dashboard")
    with pytest.raises(SchemaError, match="permission denied"):
        async with database.transaction() as transaction:
            await write_symbols(transaction, [make_instrument()])


@pytest.mark.parametrize(("host", "told", "refused"), [
    ("127.0.0.1", False, False), ("::1", False, False), ("0.0.0.0", False, True), ("::", False, True),
    ("0.0.0.0", True, False),
])
async def test_the_page_is_not_opened_to_the_network_by_accident(
    open_database: OpenDatabase, host: str, told: bool, refused: bool
) -> None:
    database = await open_database("dashboard")
    chosen = settings(host=host, open_to_network=told)
    if refused:
        with pytest.raises(ConfigError, match="DASHBOARD_OPEN_TO_NETWORK"):
            Dashboard(database, chosen, SystemClock())
    else:
        assert Dashboard(database, chosen, SystemClock()).detail()["views"] == 0

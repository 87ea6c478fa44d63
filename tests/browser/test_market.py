"""The page Market in a browser: what it shows is what stands in the database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
from playwright.sync_api import Page, expect
from tracker.domain.bar import Bar
from tracker.domain.timeframe import Timeframe
from tracker.store.bars import advance_watermark, ensure_partitions, upsert_bars
from tracker.store.database import Database
from tracker.store.symbols import read_symbols
from tracker.testing.filled_database import Filled

from services.dashboard.formats import price
from tests.browser.conftest import Served, Visit, aside, fetch

Lively = tuple[Served, Filled]
BTC, ETH = "BTC-USD", "ETH-USD"
# The data of the series by their names, of the chart that has the series asked for.
SERIES_JS = """(id) => {
  for (const element of document.querySelectorAll('.nicegui-echart')) {
    const chart = getElement(Number(element.id.slice(1)))?.chart;
    const series = chart?.getOption()?.series ?? [];
    if (series.some((each) => each.id === id)) return Object.fromEntries(series.map((each) => [each.id, each.data]));
  }
  return null;
}"""


def series(page: Page, having: str) -> dict[str, Any]:
    return page.wait_for_function(SERIES_JS, arg=having).json_value()


def newest(served: Served, symbol: str) -> asyncpg.Record:
    query = (
        "SELECT close, ts FROM tracker.latest_bar JOIN tracker.symbols USING (symbol_id)"
        " WHERE symbol = $1 AND timeframe = '1m'"
    )
    return aside(fetch(served.database_url, query, symbol))[0]


async def close_a_minute(url: str, bar: Bar) -> None:
    collector = await Database.open(url, role="tracker_data_collector", pool_size=1, application="test")
    try:
        async with collector.transaction() as transaction:
            await ensure_partitions(transaction, bar.ts, bar.ts)
            numbers = {each.symbol: each.symbol_id for each in await read_symbols(transaction)}
            await upsert_bars(transaction, [bar], numbers)
            await advance_watermark(transaction, Timeframe.M1, bar.ts, bar.closes_at)
            await transaction.commit()
    finally:
        await collector.close()


def test_it_shows_the_market_and_fits_in_any_look(lively: Lively, visit: Visit) -> None:
    served, held = lively
    row = newest(served, ETH)
    for view in ("light", "dark", "phone"):
        page = visit(f"{served.url}/market?symbol={ETH}&timeframe=15m", view)
        found = series(page, "candles")
        assert found["candles"][-1][2] == row["close"]
        assert len(found["volume"]) == len(found["candles"]) <= 500
        expect(page.locator(".stat-value").first).to_have_text(price(row["close"]))
        assert {each["name"] for each in series(page, "heat")["heat"]} == set(held.symbols)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_another_symbol_and_timeframe_are_drawn_and_stand_in_the_address(lively: Lively, visit: Visit) -> None:
    served, _ = lively
    page = visit(f"{served.url}/market?symbol={ETH}&timeframe=1m")
    series(page, "candles")
    page.get_by_label("Symbol").click()
    page.get_by_label("Symbol").fill("BTC")
    page.get_by_role("option", name=BTC, exact=True).click()
    page.get_by_role("button", name="1h", exact=True).click()
    page.wait_for_url(f"**/market?symbol={BTC}&timeframe=1h")
    page.wait_for_function(
        f"([close, step]) => {{ const made = ({SERIES_JS})('candles')?.candles;"
        " return made && made.at(-1)[2] === close && made.at(-1)[0] - made.at(-2)[0] === step }",
        arg=[newest(served, BTC)["close"], 3_600_000],
    )  # fmt: skip


def test_the_last_candle_moves_when_a_bar_has_closed(lively: Lively, visit: Visit) -> None:
    served, _ = lively
    page = visit(f"{served.url}/market?symbol={BTC}&timeframe=1m")
    before = series(page, "candles")["candles"]
    last = newest(served, BTC)
    close = last["close"] * 1.01
    bar = Bar(
        symbol=BTC, timeframe=Timeframe.M1, ts=last["ts"] + timedelta(minutes=1), open=last["close"],
        high=close * 1.001, low=last["close"], close=close, volume=7.0,
    )  # fmt: skip
    aside(close_a_minute(served.database_url, bar))
    page.wait_for_function(f"(close) => ({SERIES_JS})('candles').candles.at(-1)[2] === close", arg=close)
    after = series(page, "candles")["candles"]
    assert after[-1] == [int(bar.ts.timestamp()) * 1000, bar.open, bar.close, bar.low, bar.high]
    assert after[-3:-1] == before[-2:]
    expect(page.locator(".stat-value").first).to_have_text(price(close))


def test_a_click_on_the_heat_map_chooses_the_symbol(lively: Lively, visit: Visit) -> None:
    served, _ = lively
    page = visit(f"{served.url}/market?symbol={ETH}&timeframe=15m")
    (largest, *_) = series(page, "heat")["heat"]
    canvas = page.locator("section", has=page.get_by_role("heading", name="Heat map")).locator("canvas")
    # The most traded symbol has the field in the upper left corner.
    canvas.click(position={"x": 25, "y": 25})
    page.wait_for_url(f"**/market?symbol={largest['name']}&timeframe=15m")


def test_an_empty_database_says_what_to_do(empty: Served, visit: Visit) -> None:
    page = visit(f"{empty.url}/market")
    expect(page.locator("main.page")).to_contain_text("No symbol is watched yet.")
    expect(page.locator("main.page")).to_contain_text("tracker up")

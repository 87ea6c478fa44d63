"""`tracker up` on the exchanges without a key: against a stand-in that plays what was recorded, and against nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from tests.integration.data_collector.coinbase_market import (
    coinbase_rest,
    coinbase_trades,
    playing,
    products_of,
    stretched_messages,
    time_of,
    with_beats,
)
from tests.integration.data_collector.collector_station import until_async
from tests.integration.data_collector.kraken_market import (
    candle_frame,
    kraken_playing,
    kraken_rest,
    kraken_trades,
    kraken_updates,
)
from tests.integration.data_collector.recorded_market import PRICES, Wire, bars_of_trades, check_equal
from tests.integration.data_collector.test_exchange_collectors import stored

if TYPE_CHECKING:
    from tests.acceptance.conftest import Outcome

COLLECTOR_ALONE = ("--services", "data_collector", "--detach")


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def universe(path: Path, vendor: str, names: Sequence[str]) -> str:
    """Write a universe of the vendor's names and of one symbol that the vendor does not list."""
    rows = [f'[[symbol]]\nsymbol = "{name.replace("/", "-")}"\n{vendor} = "{name}"\n' for name in names]
    path.write_text("\n".join([*rows, f'[[symbol]]\nsymbol = "NIL-USD"\n{vendor} = "NIL-USD"\n']), encoding="utf-8")
    return str(path)


def variables(vendor: str, wire: Wire, **more: str) -> dict[str, str]:
    hosts = {f"{vendor.upper()}_WS_URL": wire.url, f"{vendor.upper()}_REST_URL": wire.host}
    quick = {"CANDLE_REPAIR_SECONDS": "0.2", "RECONCILE_SECONDS": "0.5", "GRACE_SECONDS": "0.2"}
    days = {f"BACKFILL_{timeframe}_DAYS": "0" for timeframe in ("1M", "15M", "1H", "1D")}
    own = {f"DATA_COLLECTOR_{name}": value for name, value in {**quick, **days}.items()}
    return {**hosts, **own, "TRACKER_PORT_DATA_COLLECTOR": free_port(), **more}


async def holds(url: str, wanted: pd.DataFrame) -> bool:
    return bool(wanted.index.isin((await stored(url)).index).all())


async def test_up_on_coinbase_fills_the_database_with_the_bars_of_the_trades(
    tracker: Callable[..., Outcome], database_url: str, tmp_path: Path
) -> None:
    messages = stretched_messages(60)
    products = products_of(messages)
    first = pd.Timestamp(min(time_of(each) for each in messages if each["type"] == "match")).floor("min")
    wanted = bars_of_trades(coinbase_trades(messages))
    wanted = wanted[wanted.index.get_level_values(1) >= first]
    async with Wire([], rest=coinbase_rest(messages, products)).open() as wire:
        playing(wire, with_beats(messages, products))
        names = universe(tmp_path / "universe.toml", "coinbase", products)
        found = variables("coinbase", wire, DATABASE_URL=database_url, TRACKER_UNIVERSE=names)
        await check_stored(tracker, "coinbase", found, database_url, wanted)
    stored_bars = (await stored(database_url)).loc[wanted.index]
    check_equal(stored_bars, wanted, PRICES)
    by_trades = stored_bars[stored_bars["trades"] > 0]
    assert len(by_trades) > 25, "the others are of the minute in which the connection began, and REST's"
    check_equal(by_trades, wanted.loc[by_trades.index], ("vwap", "trades"))


async def test_up_on_kraken_fills_the_database_with_the_bars_of_the_trades(
    tracker: Callable[..., Outcome], database_url: str, tmp_path: Path
) -> None:
    trades = kraken_trades(30)
    pairs = sorted({each["symbol"] for each in trades})
    wanted = bars_of_trades(trades)
    began, end = (limit for limit in (min(_moments(trades)).floor("min"), max(_moments(trades)).ceil("min")))
    last = candle_frame(pairs[0], end, wanted.iloc[0], said_at=end + pd.Timedelta(seconds=3))
    wanted.index = wanted.index.set_levels([each.replace("/", "-") for each in wanted.index.levels[0]], level=0)
    async with Wire([], rest=kraken_rest(pairs, end + pd.Timedelta(seconds=3))).open() as wire:
        kraken_playing(wire, began, [*kraken_updates(trades), last])
        names = universe(tmp_path / "universe.toml", "kraken", pairs)
        found = variables("kraken", wire, DATABASE_URL=database_url, TRACKER_UNIVERSE=names)
        await check_stored(tracker, "kraken", found, database_url, wanted)
    check_equal(await stored(database_url), wanted)


def _moments(trades: Sequence[dict[str, Any]]) -> list[pd.Timestamp]:
    return [each["ts"] for each in trades]


async def check_stored(
    tracker: Callable[..., Outcome], vendor: str, variables: dict[str, str], url: str, wanted: pd.DataFrame
) -> None:
    """Bring the collector up, wait for the bars, look at the status, and take it down."""
    started = await asyncio.to_thread(lambda: tracker("up", "--source", vendor, *COLLECTOR_ALONE, **variables))
    try:
        assert (started.code, started.err) == (0, ""), started.out
        assert "goes on trying" not in started.out
        await until_async(lambda: holds(url, wanted), "every bar", 30)
        status = (await asyncio.to_thread(lambda: tracker("status", "--json", **variables))).document
        assert status["symbols"]["unsupported"] == ["NIL-USD"]
        (collector,) = [each for each in status["services"] if each["name"] == "data_collector"]
        assert (collector["status"], collector["problem"]) == ("pass", None)
    finally:
        await asyncio.to_thread(lambda: tracker("down", **variables))


@pytest.mark.parametrize("vendor", ["coinbase", "polygon"])
async def test_up_says_that_a_vendor_cannot_be_reached_and_goes_on_trying(
    tracker: Callable[..., Outcome], database_url: str, vendor: str
) -> None:
    found = variables(vendor, Wire([], port=1), DATABASE_URL=database_url, POLYGON_API_KEY="key")
    started = await asyncio.to_thread(lambda: tracker("up", "--source", vendor, *COLLECTOR_ALONE, **found))
    try:
        assert (started.code, started.err) == (0, "")
        (line,) = [line for line in started.out.splitlines() if line.startswith("data_collector: ")]
        assert line.startswith("data_collector: http://127.0.0.1:1 cannot be reached: ")
        assert line.endswith("; it goes on trying")

        async def told() -> bool:
            status = (await asyncio.to_thread(lambda: tracker("status", "--json", **found))).document
            (collector,) = [each for each in status["services"] if each["name"] == "data_collector"]
            return collector["state"] == "running" and "cannot be reached" in (collector["problem"] or "")

        await until_async(told, "the status tells it too", 30)
    finally:
        await asyncio.to_thread(lambda: tracker("down", **found))

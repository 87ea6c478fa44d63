"""History on order: complete after a kill, nothing fetched twice, corrected where the vendor corrects itself."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from tracker.domain.clock import SystemClock
from tracker.domain.errors import FeedAuthError, InputError
from tracker.domain.timeframe import Timeframe
from tracker.runtime.logging import configure_logging
from tracker.runtime.settings import environment
from tracker.testing.exchange import Exchange

from services.data_collector.backfill import SETTLED, Backfill, Order
from services.data_collector.plan import span_of
from tests.integration.data_collector.collector_station import SYMBOLS, Station, moment, universe_of
from tests.integration.data_collector.conftest import MakeStation

FRAMES = (Timeframe.M1, Timeframe.M15, Timeframe.H1, Timeframe.D1)
UNIVERSE = "".join(
    f'[[symbol]]\nsymbol = "{symbol}"\npolygon = {{ stream = "{symbol}", rest = "X:{symbol.replace("-", "")}" }}\n'
    for symbol in (*SYMBOLS, "MOG-USD")
)


class Told(list[dict[str, Any]]):
    """What a backfill tells."""

    def of(self, event: str) -> list[dict[str, Any]]:
        return [each for each in self if each["event"] == event]


def backfill_of(station: Station, told: Told, **facts: Any) -> Backfill:
    usual: dict[str, Any] = {
        "feed": station.collector._feed, "database": station.database, "universe": universe_of(station.symbols),
        "parallel": 2, "clock": SystemClock(), "log": configure_logging("test", "CRITICAL"), "tell": told.append,
    }
    return Backfill(**usual | facts)


async def check_complete(station: Station, days: float, now: datetime) -> None:
    """Raise AssertionError where the database does not hold exactly the exchange's history."""
    settled = Timeframe.M5.floor(now - SETTLED)
    for symbol in SYMBOLS:
        for timeframe in FRAMES:
            span = span_of(timeframe, days, settled)
            wanted = await station.truth(symbol, span.begin, span.end, timeframe)
            assert await station.stored(symbol, timeframe) == wanted, (symbol, timeframe)
        minutes = span_of(Timeframe.M1, days, settled)
        wanted = await station.truth(symbol, minutes.begin, Timeframe.M5.floor(minutes.end), Timeframe.M5)
        assert await station.stored(symbol, "5m") == wanted, symbol
    await station.check_latest()


async def asked_ranges(station: Station) -> list[str]:
    return [path for path in station.asked if "/range/" in path]


@asynccontextmanager
async def job(station: Station, folder: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the collector's job as a process of its own."""
    (folder / "universe.toml").write_text(UNIVERSE)
    variables = {
        "DATABASE_URL": station.url, "POLYGON_REST_URL": f"http://127.0.0.1:{station.exchange.port}",
        "POLYGON_API_KEY": "key", "TRACKER_SOURCE": "simulated", "TRACKER_UNIVERSE": str(folder / "universe.toml"),
        "DATA_COLLECTOR_REST_PARALLEL": "1",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.data_collector.jobs", "backfill", *arguments,
        env={**environment(), **variables}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def told_by(process: asyncio.subprocess.Process, until: int | None = None) -> Told:
    """Return what a job tells, all of it or until it has told of so many pieces."""
    told = Told()
    assert process.stdout is not None
    async for line in process.stdout:
        told.append(orjson.loads(line))
        if until is not None and len(told.of("chunk")) == until:
            break
    return told


async def test_a_killed_backfill_goes_on_where_it_was(
    market: Exchange, make_station: MakeStation, tmp_path: Path
) -> None:
    station = await make_station(market)
    order = ("--days", "8", "--timeframes", ",".join(FRAMES))
    async with job(station, tmp_path, *order) as process:
        [plan] = (before := await told_by(process, until=11)).of("plan")
        process.kill()
    done = "SELECT count(*) FROM tracker.backfill_chunks WHERE status = 'done'"
    [[finished]] = await station.rows(done)
    assert len(before.of("chunk")) <= finished < plan["chunks"]
    async with job(station, tmp_path, *order) as process:
        after = await told_by(process)
        assert await process.wait() == 0
    [report] = after.of("report")
    assert after.of("plan")[0]["chunks"] == plan["chunks"] - finished == report["fetched_chunks"]
    assert (report["complete"], report["partial"]) == (sorted(SYMBOLS), {})
    assert report["unsupported"] == {"MOG-USD": "polygon does not list X:MOGUSD"}
    await check_complete(station, 8, await station.now())
    [[rows, bars]] = await station.rows(
        "SELECT count(*), count(DISTINCT (symbol_id, timeframe::text, ts)) FROM tracker.ohlc_data"
    )
    assert rows == bars
    assert await station.rows("SELECT FROM tracker.bar_revisions") == []


async def test_a_second_run_fetches_only_what_is_new(market: Exchange, make_station: MakeStation) -> None:
    station = await make_station(market)
    order = Order(days=3, timeframes=FRAMES)
    first = await backfill_of(station, Told()).run(order)
    assert first["new"] == sum([len(await station.stored(s, f)) for s in SYMBOLS for f in FRAMES])
    asked = len(await asked_ranges(station))
    again = await backfill_of(station, Told()).run(order)
    assert (again["chunks"], again["new"], len(await asked_ranges(station))) == (0, 0, asked)
    now = await station.advance(60)
    later = await backfill_of(station, Told()).run(order)
    # The newest hour of each symbol; the day is not over.
    assert (later["new"], later["corrected"]) == (3 * (60 + 4 + 1), 0)
    longer = await backfill_of(station, Told()).run(Order(days=5, timeframes=FRAMES))
    assert longer["complete"] == sorted(SYMBOLS)
    await check_complete(station, 5, now)


async def test_what_the_vendor_corrected_is_taken_over_and_rolled_up(
    market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(market)
    order = Order(days=2, timeframes=FRAMES, symbols=("BTC-USD",))
    await backfill_of(station, Told()).run(order)
    before = await station.stored("BTC-USD")
    opens = sorted(before)[-200:-197]
    await station.rows(
        "UPDATE tracker.ohlc_data SET close = high, volume = volume + 1 WHERE timeframe = '1m' AND ts = ANY ($1)", opens
    )
    report = await backfill_of(station, Told()).run(Order(
        days=2, timeframes=(Timeframe.M1,), symbols=("BTC-USD",), again=True
    ))
    assert (report["new"], report["corrected"]) == (0, 3)
    assert await station.stored("BTC-USD") == before
    revised = await station.rows("SELECT ts, revision FROM tracker.bar_revisions WHERE timeframe = '1m' ORDER BY ts")
    assert [tuple(row) for row in revised] == [(each, 1) for each in opens]
    for timeframe in (Timeframe.M5, Timeframe.M15, Timeframe.H1):
        span = span_of(timeframe, 1, opens[0])
        wanted = await station.truth("BTC-USD", span.begin, span.end, timeframe)
        found = await station.stored("BTC-USD", timeframe)
        assert {ts: bar for ts, bar in found.items() if span.begin <= ts < span.end} == wanted


async def test_pieces_that_fail_are_told_and_fetched_by_the_next_run(
    market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(market, rest_attempts=1, breaker_threshold=1000)
    order = Order(days=2, timeframes=(Timeframe.H1,))
    told = Told()

    def tell(event: dict[str, Any]) -> None:
        told.append(event)
        if event["event"] == "plan":
            # All three pieces fail in two passes, two of them in the third.
            market.fault("server_error", count=8)

    report = await backfill_of(station, told, parallel=1, tell=tell).run(order)
    failed = [each["symbol"] for each in told.of("chunk") if each["failed"]]
    assert (report["chunks_failed"], sorted(report["partial"])) == (2, sorted(failed))
    assert all("answered 500" in reasons[0] for reasons in report["partial"].values())
    again = await backfill_of(station, Told()).run(order)
    assert (again["chunks"], again["complete"]) == (2, sorted(SYMBOLS))


async def test_a_named_symbol_is_fetched_reported_or_refused(market: Exchange, make_station: MakeStation) -> None:
    station = await make_station(market, symbols=(*SYMBOLS, "MOG-USD"))
    order = Order(days=1, timeframes=(Timeframe.H1,), symbols=("ETH-USD", "MOG-USD"))
    report = await backfill_of(station, Told()).run(order)
    assert (report["complete"], list(report["unsupported"])) == (["ETH-USD"], ["MOG-USD"])
    with pytest.raises(InputError, match="--symbols: XYZ-USD is not in the universe"):
        await backfill_of(station, Told()).run(Order(days=1, timeframes=FRAMES, symbols=("XYZ-USD",)))
    await station.rows("UPDATE tracker.symbols SET status = 'paused' WHERE symbol = 'ETH-USD'")
    with pytest.raises(InputError, match="--symbols: ETH-USD is paused"):
        await backfill_of(station, Told()).run(order)


async def test_history_that_the_vendor_does_not_have_is_told(market: Exchange, make_station: MakeStation) -> None:
    station = await make_station(market)
    now = await station.now()
    days = (now - moment("2019-12-01T00:00:00Z")).days
    report = await backfill_of(station, Told()).run(Order(days=days, timeframes=(Timeframe.D1,), symbols=("BTC-USD",)))
    assert report["partial"] == {"BTC-USD": ["1d: the vendor's bars begin on 2020-01-01 00:00"]}


async def test_a_refused_key_ends_it_in_one_sentence(
    start_exchange: Any, make_station: MakeStation, tmp_path: Path
) -> None:
    exchange = start_exchange("--clock", "paced", "--start", "2026-03-02T12:00:00Z", "--api-key", "right")
    station = await make_station(exchange)
    with pytest.raises(FeedAuthError, match="refused the key"):
        await backfill_of(station, Told()).run(Order(days=1, timeframes=FRAMES))
    async with job(station, tmp_path, "--days", "1", "--timeframes", "1h") as process:
        [refused] = await told_by(process)
        assert await process.wait() == 2
    assert refused["event"] == "refused"
    assert "set POLYGON_API_KEY" in refused["error"]
    assert await station.rows("SELECT FROM tracker.backfill_chunks") == []

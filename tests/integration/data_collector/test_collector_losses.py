"""What the collector itself loses, or what the database keeps it from storing, comes back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tracker.store.database import Database
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.migrate import migrate
from tracker.testing.builders import make_bar
from tracker.testing.exchange import Exchange

from tests.integration.data_collector.collector_station import Station, iso, until

if TYPE_CHECKING:
    from tests.integration.data_collector.conftest import MakeStation


@pytest.mark.parametrize("size", [10, 1])
async def test_an_overflowing_buffer_is_counted_and_repaired_before_anything_closes(
    market: Exchange, make_station: MakeStation, size: int
) -> None:
    station = await make_station(market, buffer_size=size)
    async with station.running(loop=False):
        await station.connected()
        first = await station.now()
        end = await station.advance(20)
        await until(lambda: station.detail["received"] >= 59, "all bars")
        assert station.detail["overflowed"] == station.detail["received"] - size
        # The first turn asks for the vendor's time; from then on the repair waits for REST, and the closing for it.
        await station.collector.run_once()
        station.held.clear()
        await asyncio.sleep(0.6)
        assert not await station.collector.run_once()
        assert station.collector._buffer.has_lost
        await station.closed_nothing()
        station.held.set()
        await until(lambda: not station.collector._buffer.has_lost, "the repair")
        await asyncio.sleep(0.35)
        await station.collector.run_once()
        assert (await station.watermarks()).popitem()[1].closed_through == end
    await station.check_truth(first, end)
    await station.check_latest()
    assert await station.rows("SELECT 1 FROM tracker.bar_revisions") == []


async def test_a_bar_of_the_future_moves_no_watermark(market: Exchange, make_station: MakeStation) -> None:
    station = await make_station(market)
    async with station.running():
        await station.connected()
        first = await station.now()
        await station.closed(await station.advance(2))
        station.collector._receive([replace(make_bar(close=60_000.0), ts=first + timedelta(days=300))])
        end = await station.advance(2)
        await station.closed(end)
    await station.check_truth(first, end)
    [row] = await station.rejections()
    assert "closes in the future" in row["reason"]
    assert (await station.watermarks()).popitem()[1].closed_through <= end


async def test_a_collector_started_again_goes_on_where_minutes_are_complete(
    market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(market)
    async with station.running():
        await station.connected()
        first = await station.now()
        await station.closed(await station.advance(9))
    away = await station.now()
    market.clock(advance_to=iso(away + timedelta(minutes=7)))
    again = await make_station(market)
    async with again.running():
        await again.connected()
        end = await again.advance(3)
        await again.closed(end)
    await again.check_truth(first, end)
    await again.check_latest()
    assert await again.rows("SELECT 1 FROM tracker.bar_revisions") == []


async def test_nothing_is_lost_while_the_database_is_away(market: Exchange, tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres", tmp_path / "run")
    with server:
        migrate(server.url)
        database = await Database.open(server.url, role="tracker_data_collector", pool_size=3, application="test")
        station = Station(
            exchange=market, database=database, url=server.url, key="away", settings={"buffer_size": 30}
        )
        async with station.running():
            await station.connected()
            first = await station.now()
            await station.closed(await station.advance(4))
            await asyncio.to_thread(server.stop)
            # More than the buffer holds, and a lost connection on top.
            await station.advance(25)
            await station.fault("drop")
            await until(lambda: station.detail["connections"] >= 2, "the new connection")
            await station.advance(3)
            await asyncio.to_thread(server.start)
            end = await station.advance(3)
            await station.closed(end)
        assert station.detail["overflowed"] > 0
        assert station.detail["connections"] == 2
        await station.check_truth(first, end)
        await station.check_latest()
        await database.close()


async def test_a_correction_that_was_missed_while_away_is_found(market: Exchange, make_station: MakeStation) -> None:
    station = await make_station(market)
    async with station.running():
        await station.connected()
        first = await station.now()
        await station.closed(await station.advance(12))
    # Eight minutes old and no longer the newest: only a comparison with REST can tell.
    await station.fault("correct", symbols=["ETH-USD"], count=8)
    again = await make_station(market)
    async with again.running():
        await again.connected()
        end = await again.advance(2)
        await again.closed(end)
    await again.check_truth(first, end)
    assert len(await again.rows("SELECT 1 FROM tracker.bar_revisions WHERE timeframe = '1m'")) == 8


async def test_an_answer_does_not_undo_a_correction_that_came_meanwhile(
    market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(market)
    async with station.running():
        await station.connected()
        first = await station.now()
        await station.closed(await station.advance(5))
        station.answers_held.clear()
        answered = station.answered
        await station.fault("malformed", symbols=["ETH-USD"])
        await station.advance(1)
        await until(lambda: station.answered > answered, "the answer that is on its way")
        received = station.detail["received"]
        await station.fault("correct", symbols=["ETH-USD"], count=3)
        await until(lambda: station.detail["received"] >= received + 3, "the corrections")
        await until(lambda: station.detail["waiting"] == 0, "the corrections' storing")
        station.answers_held.set()
        end = await station.advance(2)
        await station.closed(end)
    await station.check_truth(first, end)

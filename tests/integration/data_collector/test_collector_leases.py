"""Of several collectors one has the connection; whoever does not have it streams nothing and stores nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError
from tracker.domain.errors import LeaseLostError
from tracker.store.database import Database
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.migrate import migrate
from tracker.testing.builders import make_bar
from tracker.testing.exchange import Exchange

from services.data_collector.settings import CollectorSettings
from tests.integration.data_collector.collector_station import Station, iso, until, until_async

if TYPE_CHECKING:
    from tests.integration.data_collector.conftest import MakeStation

QUICK = {"lease_ttl_seconds": 1.2, "lease_renew_seconds": 0.3}


async def subscribers(market: Exchange) -> int:
    health = await asyncio.to_thread(market.get, "/health")
    return health.json()["counts"]["subscribers"]


async def test_a_second_collector_stands_by_in_good_health_and_goes_on_where_the_first_ended(
    market: Exchange, make_station: MakeStation
) -> None:
    one, two = await make_station(market, **QUICK), await make_station(market, **QUICK)
    async with two.running():
        async with one.running():
            # Whichever was first.
            await until(lambda: {one.detail["role"], two.detail["role"]} == {"holder", "standby"}, "both roles")
            holder, standby = (one, two) if one.detail["role"] == "holder" else (two, one)
            await holder.connected()
            first = await holder.now()
            await holder.closed(await holder.advance(4))
            await until(lambda: standby.detail["lease"]["holder"] is not None, "the standby's knowledge")
            assert standby.detail["lease"] == holder.detail["lease"] != {"name": "feed:polygon", "holder": None}
            await until(lambda: standby.pulse.status == "pass", "the standby's health")
            assert (standby.detail["problem"], standby.detail["connections"]) == (None, 0)
            assert standby.asked == []
            assert await subscribers(market) == 1
    again = await make_station(market, **QUICK)
    away = await again.now()
    market.clock(advance_to=iso(away + timedelta(minutes=5)))
    async with again.running():
        await again.connected()
        end = await again.advance(3)
        await again.closed(end)
    await again.check_truth(first, end)
    assert await again.rows("SELECT 1 FROM tracker.bar_revisions") == []


async def test_a_clean_end_hands_over_at_once(market: Exchange, make_station: MakeStation) -> None:
    # Waiting for the lease to end would take a minute.
    slow = {"lease_ttl_seconds": 60, "lease_renew_seconds": 0.5}
    one, two = await make_station(market, **slow), await make_station(market, **slow)
    async with one.running():
        await one.connected()
        first = await one.now()
        standby = two.running()
        await standby.__aenter__()
        await one.closed(await one.advance(3))
    try:
        await two.connected()
        end = await two.advance(3)
        await two.closed(end)
        assert two.detail["role"] == "holder"
    finally:
        await standby.__aexit__(None, None, None)
    await two.check_truth(first, end)
    assert await two.rows("SELECT 1 FROM tracker.service_leases") == []


async def test_a_holder_whose_lease_was_taken_streams_and_stores_nothing_and_comes_back(
    market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(market, **QUICK)
    async with station.running(loop=False):
        await station.connected()
        first = await station.now()
        await station.advance(2)
        await until(lambda: station.detail["waiting"] == 6, "two minutes")
        stale = station.collector._tenure.fence
        await station.rows("UPDATE tracker.service_leases SET holder = 'another', expires_at = now() + interval '2 s'")
        with pytest.raises(LeaseLostError, match="no longer held"):
            await station.collector._store([replace(make_bar(), ts=first)], stale)
        assert await station.stored("BTC-USD") == {}
        await until(lambda: station.detail["role"] == "standby", "the loss")
        assert await subscribers(market) == 0
        assert not await station.collector.run_once()
        # The minutes that waited may be old by now: they are fetched, not stored as they are.
        await station.connected(2)
        assert station.detail["waiting"] == 0
        end = await station.advance(2)
        await until(lambda: station.detail["waiting"] == 6, "two more minutes")
        await station.collector.run_once()
        await station.closed(end)
    await station.check_truth(first, end)


async def test_a_run_that_began_in_an_earlier_term_is_not_stored(
    market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(market, **QUICK)
    async with station.running(loop=False):
        await station.connected()
        first = await station.now()
        await station.advance(1)
        await until(lambda: station.detail["waiting"] == 3, "a minute")
        station.held.clear()
        # The run asks the vendor for the time, and waits while the lease goes to another and comes back.
        station.collector._plausible._known = None
        run = asyncio.create_task(station.collector.run_once())
        await until(lambda: station.detail["waiting"] == 0, "the run")
        await station.rows("UPDATE tracker.service_leases SET holder = 'another', expires_at = now() + interval '1 s'")
        await until(lambda: station.detail["role"] == "standby", "the loss")
        await until(lambda: station.detail["role"] == "holder", "the next term")
        station.held.set()
        with pytest.raises(LeaseLostError):
            await run
        await station.connected(2)
        await until(lambda: not station.collector._buffer.has_lost, "the repair of what was not stored")
        end = await station.advance(2)
        await until(lambda: station.detail["waiting"] == 6, "two more minutes")
        await station.collector.run_once()
        await station.closed(end)
    await station.check_truth(first, end)


async def test_a_database_that_is_away_for_longer_than_the_lease_ends_the_streaming(
    market: Exchange, tmp_path: Path
) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres", tmp_path / "run")
    with server:
        migrate(server.url)
        database = await Database.open(server.url, role="tracker_data_collector", pool_size=3, application="test")
        station = Station(exchange=market, database=database, url=server.url, key="leased", settings=QUICK)
        async with station.running():
            await station.connected()
            first = await station.now()
            await station.closed(await station.advance(3))
            await asyncio.to_thread(server.stop)
            await until(lambda: station.detail["role"] == "standby", "the loss")
            await until(lambda: station.detail["problem"] is not None, "the problem")

            async def silent() -> bool:
                return await subscribers(market) == 0

            await until_async(silent, "the end of the connection")
            await station.advance(5)
            await asyncio.to_thread(server.start)
            await station.connected(2)
            assert station.detail["problem"] is None
            end = await station.advance(3)
            await station.closed(end)
        await station.check_truth(first, end)
        await database.close()


async def test_a_refused_key_leaves_the_lease_to_another(market: Exchange, make_station: MakeStation) -> None:
    slow = {"lease_ttl_seconds": 60, "lease_renew_seconds": 0.5}
    refused = await make_station(market, **slow)
    await refused.fault("auth_failure", count=1)
    async with refused.running():
        await until(lambda: refused.detail["problem"] is not None, "the problem")
        other = await make_station(market, **slow)
        async with other.running():
            await other.connected()
            assert refused.detail["role"] == "standby"


def test_a_lease_that_leaves_no_time_to_renew_is_refused() -> None:
    with pytest.raises(ValidationError, match="lease_ttl_seconds = 5 must be at least three times"):
        CollectorSettings(lease_ttl_seconds=5, lease_renew_seconds=2)

"""The start-up history: complete, resumable, and followed by live minutes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tracker.domain.timeframe import Timeframe
from tracker.testing.exchange import Exchange

from tests.integration.data_collector.collector_station import SYMBOLS, until

if TYPE_CHECKING:
    from tests.integration.data_collector.collector_station import Station
    from tests.integration.data_collector.conftest import MakeStation

DAYS = {"backfill_1m_days": 2, "backfill_15m_days": 4, "backfill_1h_days": 6, "backfill_1d_days": 10}
SPANS = {Timeframe.M1: 2, Timeframe.M15: 4, Timeframe.H1: 6, Timeframe.D1: 10}


async def check_history(station: Station, now: Any, end: Any) -> None:
    """Raise AssertionError where any stored bar of the history or since differs from the exchange's."""
    for symbol in station.symbols:
        for timeframe, days in SPANS.items():
            begin = Timeframe.M5 if timeframe is Timeframe.M1 else timeframe
            first = begin.floor(timeframe.floor(now) - timedelta(days=days))
            wanted = await station.truth(symbol, first, timeframe.floor(end), timeframe)
            assert await station.stored(symbol, timeframe) == wanted, (symbol, timeframe)
        first = Timeframe.M5.floor(now - timedelta(days=2))
        wanted = await station.truth(symbol, first, Timeframe.M5.floor(end), Timeframe.M5)
        assert await station.stored(symbol, "5m") == wanted, symbol


async def test_an_interrupted_backfill_goes_on_where_it_was(market: Exchange, make_station: MakeStation) -> None:
    market.clock(advance_to=market.minute(7))
    station = await make_station(market, rest_parallel=1, **DAYS)
    now = await station.now()
    async with station.running():
        await until(lambda: station.detail["backfill_done"] >= 5, "five chunks")
        await station.closed_nothing()
    begun = [path for path in station.asked if "/range/" in path]
    done = await station.rows(
        "SELECT symbol, timeframe::text FROM tracker.backfill_chunks JOIN tracker.symbols USING (symbol_id)"
        " WHERE backfill_chunks.status = 'done'"
    )
    assert 5 <= len(done) < 12
    again = await make_station(market, rest_parallel=1, **DAYS)
    async with again.running():
        await again.connected()
        assert again.detail["complete_history"]
        await again.closed(await again.advance(2))
        end = await again.advance(6)
        await again.closed(end)
    fetched = [path for path in again.asked if "/range/" in path]
    twice = {path for path in begun[: len(done)]} & set(fetched)
    assert twice == set()
    await check_history(again, now, end)
    await again.check_latest()
    marks = await again.watermarks()
    assert marks[Timeframe.M15].closed_through == Timeframe.M15.floor(end)
    [left] = await again.rows("SELECT count(*) FROM tracker.backfill_chunks WHERE status <> 'done'")
    assert left[0] == 0


async def test_history_that_fails_is_tried_again_and_a_later_symbol_gets_its_own(
    market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(market, symbols=SYMBOLS[:2], rest_attempts=1, breaker_threshold=100, **DAYS)
    now = await station.now()
    station.held.clear()
    async with station.running():
        await asyncio.sleep(0.1)
        station.held.set()
        await until(lambda: station.detail["backfill_chunks"] > 0, "the plan")
        await station.fault("server_error", count=3)
        await station.connected()
        end = await station.advance(2)
        await station.closed(end)
    assert station.detail["backfill_failed"] == 0
    await check_history(station, now, end)
    later = await make_station(market, **DAYS)
    async with later.running():
        await later.connected()
        end = await later.advance(2)
        await later.closed(end)
    # Four timeframes; minutes are fetched month by month.
    months = {(moment.year, moment.month) for moment in (end - timedelta(days=2, minutes=2), end)}
    assert later.detail["backfill_chunks"] == 3 + len(months)
    assert await later.stored("DOGE-USD") == await later.truth(
        "DOGE-USD", Timeframe.M5.floor(end - timedelta(minutes=2) - timedelta(days=2)), end
    )

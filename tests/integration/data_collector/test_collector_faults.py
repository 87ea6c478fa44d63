"""Whatever the exchange does wrong, the database ends with what its REST interface says."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from tracker.domain.timeframe import Timeframe
from tracker.testing.exchange import Exchange

from tests.integration.data_collector.collector_station import SYMBOLS, Station, Values, until

if TYPE_CHECKING:
    from tests.integration.data_collector.conftest import MakeStation


@pytest.mark.parametrize(
    ("fault", "order"),
    [
        ("duplicate", {"count": 3}),
        ("disorder", {"count": 2}),
        ("malformed", {"count": 2}),
        ("malformed", {"count": 2, "symbols": ["ETH-USD"]}),
        ("stall", {"count": 4}),
        ("drop", {}),
        ("max_connections_evict", {}),
    ],
)
async def test_a_fault_of_the_stream_leaves_no_trace_in_the_bars(
    market: Exchange, make_station: MakeStation, fault: str, order: dict[str, Any]
) -> None:
    station = await make_station(market)
    async with station.running():
        await station.connected()
        first = await station.now()
        await station.closed(await station.advance(7))
        await station.fault(fault, **order)
        await station.advance(8)
        if fault in ("drop", "max_connections_evict"):
            await station.connected(2)
        end = await station.advance(8)
        await station.closed(end)
        assert not station.collector._buffer.has_lost
    await station.check_truth(first, end)
    await station.check_latest()
    assert await station.rows("SELECT 1 FROM tracker.bar_revisions") == []
    rejections = await station.rejections()
    assert bool(rejections) == (fault == "malformed")
    assert all(row["reason"] and row["frame"] for row in rejections)


async def test_malformed_frames_are_kept_with_their_reason(market: Exchange, make_station: MakeStation) -> None:
    station = await make_station(market)
    async with station.running():
        await station.connected()
        await station.advance(1)
        await station.fault("malformed", count=2)
        await station.closed(await station.advance(3))
    whole, bar = await station.rejections()
    assert whole["reason"].startswith("the frame is not JSON")
    assert (bar["symbol"], bar["reason"]) == ("BTC-USD", "o is 'n/a', a number was expected")
    assert bar["ts"] is not None


async def test_a_hole_of_one_symbol_is_healed_from_rest(
    market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(market, heal_seconds=0.3)
    async with station.running():
        await station.connected()
        first = await station.now()
        await station.advance(2)
        await station.fault("stall", count=3, symbols=["ETH-USD"])
        end = await station.advance(6)
        await station.closed(end)
        truth = await station.truth("ETH-USD", first, end)
        for _ in range(200):
            if await station.stored("ETH-USD") == truth:
                break
            await asyncio.sleep(0.05)
    await station.check_truth(first, end)
    late = await station.rows("SELECT open FROM tracker.bar_revisions WHERE timeframe = '1m'")
    assert [row["open"] for row in late] == [None] * 3


async def test_a_silent_feed_is_connected_again(market: Exchange, make_station: MakeStation) -> None:
    station = await make_station(market, stall_seconds=0.6)
    async with station.running():
        await station.connected()
        first = await station.now()
        await station.closed(await station.advance(3))
        await station.fault("stall", count=3)
        await station.advance(3)
        await station.connected(2)
        end = await station.advance(2)
        await station.closed(end)
    await station.check_truth(first, end)


async def replaced(station: Station, timeframe: str) -> dict[datetime, Values]:
    """Return the bars as they were before their first revision."""
    rows = await station.rows(
        "SELECT ts, open, high, low, close, volume FROM tracker.bar_revisions WHERE timeframe = $1 AND revision = 1",
        timeframe,
    )
    return {row[0]: tuple(row)[1:] for row in rows}


async def test_a_correction_keeps_the_old_bar_and_rolls_every_closed_bucket_again(
    market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(market)
    async with station.running():
        await station.connected()
        first = await station.now()
        await station.closed(await station.advance(60), Timeframe.H1)
        before = await station.stored("ETH-USD")
        rolled = {frame: await station.stored("ETH-USD", frame) for frame in Timeframe}
        await station.fault("correct", symbols=["ETH-USD"], count=2)
        end = await station.advance(1)
        await station.closed(end)
    await station.check_truth(first, end)
    after = await station.stored("ETH-USD")
    changed = [ts for ts in before if after[ts] != before[ts]]
    assert len(changed) == 2
    assert await replaced(station, "1m") == {ts: before[ts] for ts in changed}
    for timeframe in (Timeframe.M5, Timeframe.M15, Timeframe.H1):
        bucket = timeframe.floor(changed[-1])
        assert await replaced(station, timeframe) == {bucket: rolled[timeframe][bucket]}
        truth = await station.truth("ETH-USD", first, end, timeframe)
        assert (await station.stored("ETH-USD", timeframe))[bucket] == truth[bucket]
    revised = await station.rows(
        "SELECT timeframe::text, count(*) FROM tracker.ohlc_data"
        # The hour may be the last of its day.
        " WHERE revision > 0 AND timeframe <> '1d' GROUP BY 1"
    )
    assert dict(revised) == {"1m": 2, "5m": 1, "15m": 1, "1h": 1}
    await station.check_latest()


async def test_a_correction_of_a_minute_that_is_not_closed_yet_is_kept_too(
    market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(market, grace_seconds=60)
    async with station.running():
        await station.connected()
        first = await station.now()
        await station.fault("stall", count=1, symbols=["DOGE-USD"])
        end = await station.advance(1)
        await until(lambda: station.detail["received"] == 2, "two bars")
        await station.fault("correct", symbols=["BTC-USD"])
        await until(lambda: station.detail["received"] == 3, "the correction")
        await asyncio.sleep(0.2)
        assert await station.watermarks() == {}
    assert await station.stored("BTC-USD") == await station.truth("BTC-USD", first, end)
    [row] = await station.rows("SELECT revision FROM tracker.bar_revisions")
    assert row["revision"] == 1


async def test_a_newcomer_refused_for_too_many_connections_cools_down_and_comes_back(
    market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(market)
    await station.fault("max_connections_refuse")
    async with station.running():
        await until(lambda: station.detail["connections"] >= 1, "the refused connection")
        await station.connected()
        first = await station.now()
        end = await station.advance(3)
        await station.closed(end)
    await station.check_truth(first, end)


@pytest.mark.parametrize("fault", ["rate_limit", "server_error"])
async def test_rest_that_fails_for_a_while_is_asked_again(
    market: Exchange, make_station: MakeStation, fault: str
) -> None:
    station = await make_station(market, breaker_threshold=2, rest_attempts=3)
    async with station.running():
        await station.connected()
        first = await station.now()
        await station.closed(await station.advance(2))
        await station.fault("drop", seconds=0.3)
        await station.fault(fault, count=5)
        await station.advance(3)
        await station.connected(2)
        end = await station.advance(2)
        await station.closed(end)
        assert station.detail["problem"] is None
    await station.check_truth(first, end)
    assert station.detail["connections"] == 2


async def test_a_key_refused_by_the_stream_is_one_sentence_and_no_storm(
    market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(market)
    async with station.running():
        await station.connected()
        await station.fault("drop")
        await station.fault("auth_failure", count=1)
        await until(lambda: station.detail["problem"] is not None, "the problem")
        asked = len(station.asked)
        await asyncio.sleep(0.8)
        assert len(station.asked) == asked
        health = await asyncio.to_thread(market.get, "/health")
        assert health.json()["counts"]["subscribers"] == 0
    problem = station.detail["problem"]
    assert "POLYGON_API_KEY" in problem
    assert "\n" not in problem


async def test_a_wrong_key_is_one_sentence(market: Exchange, make_station: MakeStation) -> None:
    station = await make_station(market)
    await station.fault("auth_failure", count=1)
    async with station.running():
        await until(lambda: station.detail["problem"] is not None, "the problem")
        asked = len(station.asked)
        await asyncio.sleep(0.5)
        assert len(station.asked) == asked == 1
    assert station.detail["problem"] == (
        f"http://127.0.0.1:{market.port} refused the key (HTTP 401, Unknown API Key):"
        " set POLYGON_API_KEY to a key that is entitled to crypto data"
    )
    assert station.detail["connections"] == 0


async def test_an_unknown_symbol_is_marked_with_a_reason_and_never_asked_for(
    market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(market, symbols=(*SYMBOLS, "MOG-USD"))
    async with station.running():
        await station.connected()
        await station.closed(await station.advance(2))
        await station.fault("drop")
        await station.connected(2)
        await station.closed(await station.advance(2))
    rows = await station.rows("SELECT status, status_reason FROM tracker.symbols WHERE symbol = 'MOG-USD'")
    assert [tuple(row) for row in rows] == [("unsupported", "polygon does not list X:MOGUSD")]
    assert station.detail["unsupported"] == {"MOG-USD": "polygon does not list X:MOGUSD"}
    assert [path for path in station.asked if "MOG" in path] == []
    assert station.asked.count("/v3/reference/tickers") == 1

"""Two hours in which everything goes wrong that can, at the size of the whole universe."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from tracker.domain.timeframe import EPOCH
from tracker.runtime.settings import PROJECT_ROOT
from tracker.runtime.universe import load_universe
from tracker.store.gaps import GapQuestion, GapState, list_gaps, read_coverage
from tracker.testing.exchange import Start

from tests.integration.data_collector.collector_station import Station, until_async

if TYPE_CHECKING:
    from tests.integration.data_collector.conftest import MakeStation

MINUTES = 120
# What a fault is ordered with; a refused key is not among them, because it stops the collector for good.
FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("duplicate", {"count": 3}),
    ("disorder", {"count": 2}),
    ("malformed", {"count": 2}),
    ("stall", {"count": 2}),
    ("stall", {"count": 4, "some": True}),
    ("correct", {"count": 2, "some": True}),
    ("drop", {}),
    ("drop", {"seconds": 0.4}),
    ("max_connections_evict", {}),
    ("rate_limit", {"count": 4}),
    ("server_error", {"count": 4}),
)
FAR = GapQuestion(first=EPOCH, end=EPOCH + timedelta(days=40_000), states=(GapState.OPEN,))


@pytest.mark.parametrize("seed", [20_261_125])
async def test_the_database_ends_with_the_exchanges_truth_and_every_minute_explained(
    start_exchange: Start, make_station: MakeStation, seed: int
) -> None:
    exchange = start_exchange("--clock", "paced", "--start", "2026-03-02T08:00:00Z")
    universe = load_universe(PROJECT_ROOT / "configs" / "universe.toml")
    station = await make_station(
        exchange, symbols=tuple(each.symbol for each in universe.symbol), heal_seconds=0.5, confirm_after_seconds=60,
        gap_retry_seconds=0.2, breaker_threshold=1_000, rest_parallel=8,
    )
    script = random.Random(seed)
    struck: set[str] = set()
    async with station.running():
        await station.connected()
        first = await station.now()
        end = first + timedelta(minutes=MINUTES)
        half = 0
        while (now := await station.now()) < end:
            kind, order = script.choice(FAULTS)
            await strike(station, kind, dict(order), script)
            struck.add(kind)
            connections = station.detail["connections"] + (kind in ("drop", "max_connections_evict"))
            moved = await station.advance_to(min(now + timedelta(minutes=script.randint(2, 5)), end))
            await station.connected(connections)
            exchange.http.delete("/faults")
            # What a stalled or lost stream did not bring is repaired when the next minute shows the hole.
            await station.closed(await station.advance(1))
            if not half and moved >= first + timedelta(minutes=MINUTES // 2):
                half = psutil.Process().memory_info().rss
        end = await station.advance(4)
        await station.closed(end)

        async def healed() -> bool:
            async with station.database.transaction() as transaction:
                found = await list_gaps(transaction, FAR, 100)
            return all(each.starts_at >= end - timedelta(minutes=1) for each in found)

        await until_async(healed, "nothing open but the newest minute", 30)
    assert len(struck) >= 8
    await check(station, first, end)
    assert psutil.Process().memory_info().rss - half < 60_000_000


async def strike(station: Station, kind: str, order: dict[str, Any], script: random.Random) -> None:
    supported = sorted(set(station.symbols) - set(station.detail["unsupported"]))
    if order.pop("some", False):
        order["symbols"] = script.sample(supported, 12)
    await station.fault(kind, **order)


async def check(station: Station, first: Any, end: Any) -> None:
    """Raise AssertionError where a bar is not the exchange's, or a minute not explained."""
    supported = set(station.symbols) - set(station.detail["unsupported"])
    for symbol in sorted(supported):
        wanted = await station.truth(symbol, first, end)
        found = {ts: bar for ts, bar in (await station.stored(symbol)).items() if first <= ts < end}
        assert found == wanted, symbol
    async with station.database.transaction() as transaction:
        coverage = await read_coverage(transaction, FAR)
    assert {each.symbol for each in coverage} == supported
    assert sum(each.unexplained for each in coverage) == 0
    assert sum(each.expected for each in coverage) >= len(supported) * MINUTES
    twice = await station.rows("SELECT 1 FROM tracker.ohlc_data GROUP BY symbol_id, timeframe, ts HAVING count(*) > 1")
    assert twice == []

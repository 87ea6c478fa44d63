"""Every minute of every symbol ends up stored, confirmed to be empty, or in an open gap that is asked for again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tracker.domain.timeframe import Timeframe
from tracker.store.gaps import Coverage, Gap, GapQuestion, GapState, list_gaps, read_coverage
from tracker.testing.exchange import Exchange, Start

from tests.integration.data_collector.collector_station import START_OF_TIME, Station, until_async

if TYPE_CHECKING:
    from tests.integration.data_collector.conftest import MakeStation

MINUTE = Timeframe.M1.duration
EVERYTHING = GapQuestion(first=START_OF_TIME, end=START_OF_TIME + timedelta(days=40_000))
THIN = ("BTC-USD", "TURBO-USD")
QUICK = {"heal_seconds": 0.2, "confirm_after_seconds": 60, "gap_retry_seconds": 0.1}


@pytest.fixture(scope="module")
def thin_market(start_exchange: Start) -> Exchange:
    """A paced exchange with a symbol that does not trade in every minute."""
    return start_exchange("--clock", "paced", "--start", "2026-03-02T01:00:00Z", "--symbols", ",".join(THIN))


async def gaps(station: Station, *states: GapState) -> list[Gap]:
    question = replace(EVERYTHING, states=states or tuple(GapState))
    async with station.database.transaction() as transaction:
        return await list_gaps(transaction, question, 1000)


async def coverage(station: Station) -> dict[str, Coverage]:
    async with station.database.transaction() as transaction:
        return {each.symbol: each for each in await read_coverage(transaction, EVERYTHING)}


async def check_explained(station: Station) -> dict[str, Coverage]:
    """Raise AssertionError where a minute is neither stored nor in the ledger; return the coverage."""
    found = await coverage(station)
    assert set(found) == set(station.symbols)
    assert {each.symbol: each.unexplained for each in found.values()} == dict.fromkeys(station.symbols, 0)
    return found


async def nothing_open(station: Station, but: timedelta = timedelta()) -> None:
    """Wait until no gap older than `but` before the exchange's time is open."""

    async def reached() -> bool:
        settled = await station.now() - but
        return all(each.starts_at >= settled for each in await gaps(station, GapState.OPEN))

    await until_async(reached, "no open gap")


async def open_ones(station: Station, reached: Callable[[list[Gap]], bool]) -> list[Gap]:
    """Wait until the open gaps are as wanted and return them."""
    found: list[Gap] = []

    async def look() -> bool:
        found[:] = await gaps(station, GapState.OPEN)
        return reached(found)

    await until_async(look, "the open gaps")
    return found


async def test_minutes_that_one_symbol_did_not_get_are_open_and_then_healed(
    market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(market, **{**QUICK, "confirm_after_seconds": 240})
    async with station.running():
        await station.connected()
        first = await station.now()
        await station.advance(2)
        await station.fault("stall", count=3, symbols=["ETH-USD"])
        await station.closed(await station.advance(4))
        [gap] = await open_ones(station, bool)
        assert (gap.symbol, gap.starts_at, gap.ends_at) == ("ETH-USD", first + 2 * MINUTE, first + 5 * MINUTE)
        assert (gap.cause, gap.attempts, gap.minutes) == ("not_sent", 0, 3)
        await check_explained(station)
        end = await station.advance(9)
        await station.closed(end)
        await nothing_open(station)
    [gap] = await gaps(station, GapState.HEALED)
    assert (gap.healed_bars, gap.attempts, gap.minutes) == (3, 1, 0)
    await station.check_truth(first, end)
    late = await station.rows("SELECT open FROM tracker.bar_revisions WHERE timeframe = '1m'")
    assert [row["open"] for row in late] == [None] * 3


async def test_a_minute_without_trades_is_confirmed_empty_and_a_quiet_market_is_one_row(
    thin_market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(thin_market, symbols=THIN, **QUICK)
    async with station.running():
        await station.connected()
        first = await station.now()
        for _ in range(4):
            await station.closed(await station.advance(10), Timeframe.M5)
            await nothing_open(station, timedelta(minutes=3))
    found = await check_explained(station)
    end = first + timedelta(minutes=36)
    for symbol in THIN:
        truth = await station.truth(symbol, first, end)
        assert {ts: bar for ts, bar in (await station.stored(symbol)).items() if ts < end} == truth
    assert found[THIN[1]].empty >= 3
    empty = await gaps(station, GapState.CONFIRMED_EMPTY)
    assert {each.symbol for each in empty} == {THIN[1]}
    assert len(empty) == 1
    assert await station.rows("SELECT 1 FROM tracker.bar_revisions") == []


async def test_rest_that_fails_is_asked_again_later_and_the_error_is_kept(
    market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(market, rest_attempts=1, breaker_threshold=1_000, **QUICK)
    async with station.running():
        await station.connected()
        first = await station.now()
        await station.fault("stall", count=2, symbols=["DOGE-USD"])
        station.refuse_history = True
        await station.closed(await station.advance(4))
        [gap] = await open_ones(station, lambda found: any(each.attempts > 1 for each in found))
        assert "no history today" in str(gap.last_error)
        station.refuse_history = False
        end = await station.advance(4)
        await station.closed(end)
        await nothing_open(station)
    [gap] = await gaps(station)
    assert (gap.state, gap.healed_bars, gap.last_error) == ("healed", 2, None)
    assert gap.attempts >= 3
    await station.check_truth(first, end)
    await check_explained(station)


async def test_minutes_close_with_open_gaps_when_rest_stays_away_after_a_lost_connection(
    market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(
        market, rest_attempts=1, breaker_threshold=1_000, repair_patience_seconds=0.6, **QUICK
    )
    async with station.running():
        await station.connected()
        first = await station.now()
        await station.closed(await station.advance(3))
        station.refuse_history = True
        await station.fault("drop", seconds=0.3)
        await station.advance(4)
        await station.connected(2)
        end = await station.advance(1)
        await station.closed(end)
        found = await open_ones(station, lambda found: len(found) >= 3)
        assert {each.cause for each in found} == {"vendor_failed"}
        await check_explained(station)
        station.refuse_history = False
        end = await station.advance(4)
        await station.closed(end)
        await nothing_open(station)
    await station.check_truth(first, end)
    assert {each.state for each in await gaps(station)} == {"healed"}


async def test_a_gap_outlives_the_process_that_found_it(market: Exchange, make_station: MakeStation) -> None:
    station = await make_station(market, heal_seconds=1_000)
    async with station.running():
        await station.connected()
        first = await station.now()
        await station.fault("stall", count=2, symbols=["BTC-USD"])
        await station.closed(await station.advance(6))
        # What the restart repairs anyway ends two bars before the last close.
        assert len(await gaps(station, GapState.OPEN)) == 1
    again = await make_station(market, **QUICK)
    async with again.running():
        await again.connected()
        end = await again.advance(5)
        await again.closed(end)
        await nothing_open(again)
    [gap] = await gaps(again)
    assert (gap.state, gap.healed_bars, gap.starts_at) == ("healed", 2, first)
    await again.check_truth(first, end)
    await check_explained(again)


async def test_the_minute_of_a_rejected_bar_is_a_gap_with_that_cause_while_rest_stays_away(
    market: Exchange, make_station: MakeStation
) -> None:
    station = await make_station(
        market, rest_attempts=1, breaker_threshold=1_000, repair_patience_seconds=0.5, **QUICK
    )
    async with station.running():
        await station.connected()
        first = await station.now()
        await station.closed(await station.advance(2))
        station.refuse_history = True
        await station.fault("malformed", count=2, symbols=["ETH-USD"])
        await station.closed(await station.advance(3))
        [gap] = await open_ones(station, bool)
        assert (gap.symbol, gap.cause) == ("ETH-USD", "rejected")
        assert (gap.starts_at, gap.ends_at) == (first + 2 * MINUTE, first + 4 * MINUTE)
        station.refuse_history = False
        end = await station.advance(3)
        await station.closed(end)
        await nothing_open(station)
    assert len(await station.rejections()) == 2
    await station.check_truth(first, end)
    await check_explained(station)


async def test_history_is_explained_too(market: Exchange, make_station: MakeStation) -> None:
    station = await make_station(market, backfill_1m_days=1, **QUICK)
    async with station.running():
        await station.connected()
        end = await station.advance(4)
        await station.closed(end)
        await nothing_open(station, timedelta(minutes=2))
    found = await check_explained(station)
    for each in found.values():
        assert each.expected >= 1_440
        assert each.stored + each.empty == each.expected
    assert await station.rows("SELECT 1 FROM tracker.bar_revisions") == []


@pytest.mark.parametrize(("days", "opened"), [(0, 60), (1, 0)])
async def test_an_hour_that_began_before_the_collecting_is_not_taken_for_whole_without_its_history(
    market: Exchange, make_station: MakeStation, days: float, opened: int
) -> None:
    hour = market.minute(0)
    market.clock(advance_to=market.minute(50))
    station = await make_station(market, backfill_1m_days=days)
    async with station.running():
        await station.connected()
        await station.closed(await station.advance(15), Timeframe.M5)
        marks = await station.watermarks()
        assert (Timeframe.H1 in marks) == bool(days)
        assert (await station.stored("BTC-USD", "1h") == {}) == (not days)
        await station.closed(await station.advance(55), Timeframe.H1)
    marks = await station.watermarks()
    assert marks[Timeframe.H1].opened_at == datetime.fromisoformat(hour) + timedelta(minutes=opened)

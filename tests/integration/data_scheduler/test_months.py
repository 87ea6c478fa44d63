"""A month that is rewritten stays the same month: its bars, its shape, its readers and its writers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from bar_house import FEBRUARY, JANUARY, MARCH, SYMBOLS, BarHouse, finish, house_rules
from tracker.domain.bar import Bar, BarSource
from tracker.domain.timeframe import Timeframe
from tracker.runtime.lease import Lease
from tracker.runtime.maintenance_rules import TaskName
from tracker.runtime.settings import load_settings
from tracker.store.archive import (
    BarMonth,
    MonthInUseError,
    Purpose,
    begin_rewrite,
    copy_next_symbol,
    read_months,
    read_progress,
    seal_rewrite,
    swap_rewrite,
)
from tracker.store.database import Database

from services.data_collector.flush import Partitions, store_batch
from services.data_scheduler.jobs import MonthsTakenError, run_by_hand
from services.data_scheduler.rewriting import MonthChangedError, Rewriter
from services.data_scheduler.runs import MONTHS_LEASE
from services.data_scheduler.settings import SchedulerSettings
from services.data_scheduler.slices import Slice

PATIENCE = timedelta(seconds=0.3)
SYMBOL_IDS = {"BTC-USD": 1, "ETH-USD": 2, "SOL-USD": 3}
SHAPE = (
    "SELECT a.attname, a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid),"
    " col_description(a.attrelid, a.attnum) FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid"
    " AND d.adnum = a.attnum WHERE a.attrelid = $1::regclass AND a.attnum > 0 ORDER BY a.attnum",
    "SELECT c.contype::text, replace(c.conname, $1::regclass::oid::regclass::text, '') AS name,"
    " pg_get_constraintdef(c.oid), c.coninhcount, c.conislocal, c.convalidated FROM pg_constraint c"
    " WHERE c.conrelid = $1::regclass ORDER BY 1, 2, 3",
    "SELECT replace(indexdef, $1, '') FROM pg_indexes WHERE 'tracker.' || tablename = $1 ORDER BY 1",
    "SELECT relkind::text, relrowsecurity, relforcerowsecurity, relowner, relacl::text, relpersistence::text,"
    " reloptions::text, relreplident::text, relispartition, relhastriggers FROM pg_class WHERE oid = $1::regclass",
    "SELECT policyname FROM pg_policies WHERE 'tracker.' || tablename = $1",
    "SELECT t.tgfoid::regproc::text, t.tgtype, t.tgenabled::text FROM pg_trigger t WHERE tgrelid = $1::regclass"
    " ORDER BY 1",
)


async def month_of(database: Database, first: datetime) -> BarMonth:
    async with database.transaction() as transaction:
        return next(each for each in await read_months(transaction) if each.month == first)


async def rewrite(database: Database, first: datetime, purpose: Purpose) -> None:
    rewriter = Rewriter(database, purpose, PATIENCE, lambda words: None)
    outcome = await rewriter.rewrite([await month_of(database, first)], Slice(_NoClock(), None))
    assert not outcome.unfinished


class _NoClock:
    """Never asked: a slice without an end looks at no clock."""

    def now(self) -> datetime:
        raise AssertionError

    def monotonic(self) -> float:
        raise AssertionError


async def seal(database: Database, first: datetime, purpose: Purpose) -> None:
    async with database.transaction() as transaction:
        await begin_rewrite(transaction, first, purpose, PATIENCE)
        while await copy_next_symbol(transaction, first) is not None:
            pass
        await seal_rewrite(transaction, first, PATIENCE)
        await transaction.commit()


async def swap(database: Database, first: datetime, patience: timedelta = PATIENCE) -> bool:
    async with database.transaction() as transaction:
        swapped = await swap_rewrite(transaction, first, patience)
        await transaction.commit()
        return swapped


def correction(ts: datetime, symbol: str = "ETH-USD") -> Bar:
    return Bar(symbol=symbol, timeframe=Timeframe.M1, ts=ts, open=5.0, high=6.0, low=4.0, close=5.5, volume=7.0,
               vwap=5.0, trades=1, source=BarSource.REST)


async def store(database: Database, bars: list[Bar], partitions: Partitions) -> int:
    async with database.transaction() as transaction:
        stored, months = await store_batch(transaction, bars, SYMBOL_IDS, partitions)
        await transaction.commit()
    partitions.known |= months
    return stored.stored


async def shape(house: BarHouse, table: str) -> list[list[list[str]]]:
    """Return everything the catalogue says of a table that does not depend on its name."""
    month = table[-7:]
    return [
        [[str(value).replace(table, "").replace(month, "") for value in row.values()]
         for row in await house.rows(query, f"tracker.{table}")]
        for query in SHAPE
    ]


async def test_a_clustered_month_lies_in_the_order_of_its_key_and_is_otherwise_the_same(house: BarHouse) -> None:
    before, database = await house.exported(), await house.open_as("data_scheduler")
    assert await physical_order(house, "ohlc_data_2024_02") != await key_order(house, "ohlc_data_2024_02")
    await rewrite(database, FEBRUARY, Purpose.CLUSTER)
    assert await physical_order(house, "ohlc_data_2024_02") == await key_order(house, "ohlc_data_2024_02")
    assert await shape(house, "ohlc_data_2024_02") == await shape(house, "ohlc_data_2024_03")
    assert await house.exported() == before
    assert (await month_of(database, FEBRUARY)).clustered_rows == 29 * 24 * SYMBOLS


async def test_a_rewritten_month_is_as_large_and_as_ordered_as_a_clustered_one(house: BarHouse) -> None:
    database = await house.open_as("data_scheduler")
    await house.execute(
        "CREATE TABLE clustered (LIKE tracker.ohlc_data INCLUDING ALL)",
        "INSERT INTO clustered SELECT * FROM tracker.ohlc_data_2024_02",
        "CLUSTER clustered USING clustered_pkey",
    )
    await rewrite(database, FEBRUARY, Purpose.CLUSTER)
    await house.execute("ANALYZE")
    figures = [
        await house.rows(
            "SELECT c.relpages, c.reltuples, s.correlation FROM pg_class c"
            " JOIN pg_stats s ON s.tablename = c.relname AND s.attname = 'symbol_id' WHERE c.relname = $1", name,
        )
        for name in ("clustered", "ohlc_data_2024_02")
    ]
    assert figures[0] == figures[1]
    assert figures[1][0]["correlation"] == 1


async def test_a_month_goes_into_the_archive_and_comes_back_byte_for_byte(house: BarHouse) -> None:
    before, database = await house.exported(), await house.open_as("data_scheduler")
    await rewrite(database, JANUARY, Purpose.ARCHIVE)
    assert await house.tables("ohlc_archive") == ["2024_01"]
    assert "2024_01" not in await house.tables("ohlc_data")
    assert await house.value("SELECT count(*) FROM tracker.ohlc_archive") == 31 * 24 * SYMBOLS
    assert await house.exported() == before
    note = (await house.rows("SELECT rows, checksum, status FROM tracker.bar_months"))[0]
    found = await house.rows("SELECT count(*) AS rows, sum(hash_record_extended(a, 0)) AS checksum, 'done' AS status"
                             " FROM tracker.ohlc_archive a")
    assert note == found[0]
    reader = await house.open_as("dashboard")
    async with reader.transaction() as transaction:
        seen = await transaction.connection.fetchval(
            "SELECT count(*) FROM tracker.ohlc_all WHERE symbol_id = 1 AND ts >= '2024-01-01Z' AND ts < '2024-02-02Z'"
        )
    assert seen == 32 * 24
    await house.execute("SELECT tracker.ensure_bar_partitions('2024-01-20Z', '2024-01-20Z')")
    assert await house.tables("ohlc_archive") == []
    assert await house.exported() == before
    assert await shape(house, "ohlc_data_2024_01") == await shape(house, "ohlc_data_2024_03")
    assert await house.value("SELECT status FROM tracker.bar_months") == "reopened"
    await rewrite(database, JANUARY, Purpose.ARCHIVE)
    assert await house.exported() == before


async def test_both_homes_of_bars_have_the_same_columns(house: BarHouse) -> None:
    columns = [
        await house.rows("SELECT column_name, data_type, ordinal_position, is_nullable FROM information_schema.columns"
                         " WHERE table_schema = 'tracker' AND table_name = $1 ORDER BY ordinal_position", name)
        for name in ("ohlc_data", "ohlc_archive")
    ]
    assert columns[0] == columns[1]
    for view in ("ohlc_all", "ohlc_today", "ohlc_recent"):
        named = await house.rows("SELECT column_name FROM information_schema.columns WHERE table_schema = 'tracker'"
                                 " AND table_name = $1 ORDER BY ordinal_position", view)
        assert [row["column_name"] for row in named] == [row["column_name"] for row in columns[0]]


@pytest.mark.parametrize("purpose", list(Purpose))
async def test_a_bar_written_during_the_copy_is_not_lost(house: BarHouse, purpose: Purpose) -> None:
    database, collector = await house.open_as("data_scheduler"), await house.open_as("data_collector")
    await seal(database, FEBRUARY, purpose)
    assert await store(collector, [correction(FEBRUARY + timedelta(hours=3))], Partitions(known=set())) == 1
    with pytest.raises(MonthChangedError, match="bars of 2024-02 were written during the copy"):
        await rewrite(database, FEBRUARY, purpose)
    corrected = "SELECT close, revision FROM tracker.ohlc_all WHERE symbol_id = 2 AND ts = '2024-02-01 03:00Z'"
    assert await house.rows(corrected) == [{"close": 5.5, "revision": 1}]
    assert await house.value("SELECT to_regclass('tracker.ohlc_rewrite_2024_02')") is None
    after = await house.exported()
    await rewrite(database, FEBRUARY, purpose)
    assert await house.exported() == after


async def test_a_write_that_commits_while_the_swap_waits_for_it_counts(house: BarHouse) -> None:
    database = await house.open_as("data_scheduler")
    await seal(database, FEBRUARY, Purpose.CLUSTER)
    async with house.owner.transaction() as writer:
        await writer.connection.execute(
            "UPDATE tracker.ohlc_data SET close = 100, revision = 1 WHERE symbol_id = 1 AND ts = '2024-02-01 05:00Z'"
        )
        swapping = asyncio.create_task(swap(database, FEBRUARY, timedelta(seconds=60)))
        await asyncio.sleep(0.1)
        assert not swapping.done()
        await writer.commit()
    assert not await swapping
    assert await house.value("SELECT close FROM tracker.ohlc_data WHERE symbol_id = 1 AND ts = '2024-02-01 05:00Z'"
                             ) == 100


async def test_readers_go_on_while_a_swap_cannot_have_the_month(house: BarHouse) -> None:
    database = await house.open_as("data_scheduler")
    await seal(database, FEBRUARY, Purpose.ARCHIVE)
    count = "SELECT count(*) FROM tracker.ohlc_data WHERE ts >= '2024-02-01Z' AND ts < '2024-03-01Z'"
    async with house.owner.transaction() as reader:
        await reader.connection.fetch(count)
        with pytest.raises(MonthInUseError, match="the bars of 2024-02 are in use"):
            await swap(database, FEBRUARY)
    async with database.transaction() as transaction:
        progress = await read_progress(transaction, FEBRUARY)
    assert progress is not None
    assert progress.sealed
    async with house.owner.transaction() as reader:
        await reader.connection.fetch(count)
        swapping = asyncio.create_task(swap(database, FEBRUARY, timedelta(seconds=60)))
        await asyncio.sleep(0.1)
        assert await house.value(count) == 29 * 24 * SYMBOLS
        assert not swapping.done()
    assert await swapping


async def test_one_month_in_use_does_not_stop_the_others(house: BarHouse) -> None:
    scheduler = await house.scheduler()
    async with house.owner.transaction() as writer:
        await writer.connection.execute("LOCK TABLE tracker.ohlc_data_2024_02 IN ROW EXCLUSIVE MODE")
        await finish(scheduler)
    runs = await house.runs("cluster_closed_months")
    assert [(run["ok"], run["error"][:28]) for run in runs] == [(False, "the bars of 2024-02 are in u")]
    done = await house.rows("SELECT month FROM tracker.bar_months WHERE status = 'done' AND purpose = 'cluster'")
    assert done == [{"month": MARCH}]


async def test_a_correction_of_an_archived_month_brings_it_back(house: BarHouse) -> None:
    collector, partitions = await house.open_as("data_collector"), Partitions(known=set())
    april = datetime(2024, 4, 5, 12, tzinfo=UTC)
    late = JANUARY + timedelta(days=9)
    assert await store(collector, [correction(late), correction(april)], partitions) == 2
    assert partitions.known == {(2024, 1), (2024, 4)}
    scheduler = await house.scheduler()
    await finish(scheduler)
    assert "2024_01" in await house.tables("ohlc_archive")
    assert await store(collector, [correction(late + timedelta(hours=1))], partitions) == 1
    assert await house.tables("ohlc_archive") == ["2023_12"]
    assert await house.value("SELECT count(*) FROM tracker.ohlc_all WHERE ts = $1", late + timedelta(hours=1)) == 3
    assert await house.value("SELECT close FROM tracker.bar_revisions WHERE ts = $1", late + timedelta(hours=1)) == 103
    before = await house.exported()
    house.clock.advance(86_400)
    await finish(scheduler)
    assert await house.tables("ohlc_archive") == ["2023_12", "2024_01"]
    assert await house.exported() == before


async def test_a_month_that_a_backfill_is_filling_is_left_alone(house: BarHouse) -> None:
    await house.execute("INSERT INTO tracker.backfill_chunks (symbol_id, timeframe, starts_at, ends_at)"
                        " VALUES (1, '1m', '2023-12-20Z', '2024-01-10Z')")
    await finish(await house.scheduler())
    assert await house.tables("ohlc_archive") == []


async def test_a_month_that_is_not_closed_is_never_begun(house: BarHouse) -> None:
    database = await house.open_as("data_scheduler")
    april = datetime(2024, 4, 1, tzinfo=UTC)
    with pytest.raises(Exception, match="is not closed"):
        await seal(database, april, Purpose.CLUSTER)
    with pytest.raises(Exception, match="is no month of ohlc_data"):
        await seal(database, april + timedelta(days=1), Purpose.CLUSTER)


async def test_months_are_rewritten_by_one_at_a_time(house: BarHouse) -> None:
    database, settings = await house.open_as("data_scheduler"), load_settings(SchedulerSettings, {"wait_seconds": 0})
    somebody = Lease(database, MONTHS_LEASE, "data_scheduler", "somebody", 60, house.clock)
    assert await somebody.acquire()
    words: list[str] = []

    async def by_hand(task: TaskName) -> str | None:
        run = await run_by_hand(database, house_rules(), settings, house.clock, task, words.append)
        return None if run.error is None else str(run.error)

    with pytest.raises(MonthsTakenError, match="are being rewritten by somebody#1: try again later"):
        await by_hand(TaskName.ARCHIVE_MONTHS)
    assert await by_hand(TaskName.MAKE_PARTITIONS) is None
    scheduler = await house.scheduler()
    await finish(scheduler)
    assert await house.runs("archive_months") == []
    assert len(await house.runs("analyze")) == 1
    await somebody.release()
    assert await by_hand(TaskName.ARCHIVE_MONTHS) is None
    assert await house.tables("ohlc_archive") == ["2023_12", "2024_01"]
    assert words[-1].startswith("2024-01: comparing 2,232 bars")
    assert [run["by_hand"] for run in await house.runs("archive_months")] == [True]


async def physical_order(house: BarHouse, table: str) -> list[object]:
    return [tuple(row.values()) for row in await house.rows(f"SELECT symbol_id, ts FROM tracker.{table} ORDER BY ctid")]


async def key_order(house: BarHouse, table: str) -> list[object]:
    return [tuple(row.values()) for row in await house.rows(
        f"SELECT symbol_id, ts FROM tracker.{table} ORDER BY symbol_id, timeframe, ts")]


async def test_a_swap_finds_its_moment_among_readers_that_never_pause(house: BarHouse, database_url: str) -> None:
    database, stop, reads = await house.open_as("data_scheduler"), asyncio.Event(), 0
    await seal(database, FEBRUARY, Purpose.CLUSTER)

    async def read_on() -> None:
        nonlocal reads
        connection = await asyncpg.connect(database_url)
        while not stop.is_set():
            await connection.fetch(
                "SELECT pg_sleep(0.02) FROM tracker.ohlc_data o JOIN tracker.symbols s USING (symbol_id)"
                " WHERE o.ts = '2024-02-01 05:00Z' AND s.symbol_id = 1"
            )
            reads += 1
        await connection.close()

    readers = [asyncio.create_task(read_on()) for _ in range(8)]
    try:
        while reads < 50:
            await asyncio.sleep(0.01)
        assert await swap(database, FEBRUARY, timedelta(seconds=20))
        after = reads
        while reads < after + 50:
            await asyncio.sleep(0.01)
    finally:
        stop.set()
        await asyncio.gather(*readers)

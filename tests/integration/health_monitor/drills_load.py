"""How each invariant of the group "load" is broken and mended."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import psutil
from tracker.domain.clock import SystemClock
from tracker.runtime.logging import get_logger
from tracker.runtime.process_load import ProcessLoad, cpu_seconds
from tracker.runtime.pulse import Pulse, beat
from tracker.testing.clock import FixedClock
from ward import Drill, Ward

from services.health_monitor.invariants.load.delays import (
    AnswersPrompt,
    DayOfBarsFast,
    LatestBarsFast,
    NotificationsTaken,
    ScansPrompt,
)
from services.health_monitor.invariants.load.processes import LoopsPrompt, MemoryWithin, ProcessorFree
from services.health_monitor.invariants.load.sessions import (
    LocksFree,
    PoolBudget,
    ServerConnections,
    TransactionsBusy,
    TransactionsShort,
)
from services.health_monitor.invariants.load.space import (
    DatabaseGrowth,
    DatabaseSize,
    DiskFree,
    LogNotKept,
    TablesBounded,
)
from services.health_monitor.invariants.load.upkeep import DeadRowsFew, TransactionsFrozen

MEGABYTE = 1_000_000
POOL = 3
# A disk of its own, where there is one: what others write meanwhile must not count.
DISK = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path("/tmp")
SIGNAL = """
DELETE FROM tracker.orders;
DELETE FROM tracker.signals;
INSERT INTO tracker.signals (decided_at, expires_at, created_at, entry, stop, target, strategy, timeframe, symbol_id,
  side, confirmations, strength, market_regime, config_hash)
  SELECT closed_through, closed_through + interval '1 day', now() - interval '200 seconds', 10, 9, 12, 'dca', '15m', 1,
    'long', 2, 1, 'range', 'c'
  FROM tracker.scan_watermarks;
"""
REFUSAL = """
INSERT INTO tracker.orders (account, strategy, symbol_id, decided_at, leg, kind, side, status, reason, note, quantity,
  reference_price, placed_at, ended_at, signal_id, config_hash, rules_hash)
  SELECT 'main', strategy, symbol_id, decided_at, 'entry', 'entry', 'buy', 'refused', 'late', '', 0, 10, decided_at,
    decided_at, signal_id, 'c', 'r'
  FROM tracker.signals;
"""
BARS = """
DELETE FROM tracker.ohlc_data;
SELECT tracker.ensure_bar_partitions(now() - interval '1 hour', now());
INSERT INTO tracker.ohlc_data (ts, open, high, low, close, volume, timeframe, source, symbol_id)
  SELECT closed_through - n * interval '1 minute', 10, 10.1, 9.9, 10, 5, '1m', 'stream', symbol_id
  FROM tracker.bar_watermarks, tracker.symbols, generate_series(1, 30) n WHERE timeframe = '1m';
"""
# Twenty megabytes that do not compress.
FILLED = """
CREATE TABLE ballast (row bytea);
ALTER TABLE ballast ALTER row SET STORAGE EXTERNAL;
INSERT INTO ballast SELECT decode(repeat(md5(n::text), 625), 'hex') FROM generate_series(1, 2000) n;
"""
# Every row that the monitor reads of a table takes so long, as on a disk that is worn out.
SLOW = (
    "CREATE POLICY slow ON tracker.{} AS RESTRICTIVE FOR SELECT TO tracker_health_monitor"
    " USING (pg_sleep(0.01)::text = '')"
)

Act = Callable[[Ward], Awaitable[None]]


def holding(sessions: int) -> Act:
    """Return a step after which so many more sessions are in a transaction."""

    async def step(ward: Ward) -> None:
        held = ward.more["held"] = AsyncExitStack()
        for _ in range(math.ceil(sessions / POOL)):
            database = await ward.open_as(None)
            held.push_async_callback(database.close)
            for _ in range(POOL):
                await held.enter_async_context(database.transaction())

    return step


async def left(ward: Ward) -> None:
    """End what is held, and wait until the server knows."""
    await ward.more.pop("held").aclose()
    async with asyncio.timeout(10):
        while await ward.value("SELECT count(*) FROM tracker.sessions()") > 2 * POOL:
            await asyncio.sleep(0.05)


async def idling(ward: Ward) -> None:
    """Leave a transaction open for a while."""
    await holding(POOL)(ward)
    await asyncio.sleep(0.4)


async def waiting(ward: Ward) -> None:
    """Have one session wait for what another one holds."""
    held = ward.more["held"] = AsyncExitStack()
    database = await ward.open_as(None)
    take = "SELECT pg_advisory_xact_lock(1)"
    first = await held.enter_async_context(database.transaction())
    await first.connection.execute(take)

    async def wait() -> None:
        async with database.transaction() as second:
            await second.connection.execute(take)

    ward.more["waiter"] = asyncio.create_task(wait())
    await asyncio.sleep(0.4)


async def freed(ward: Ward) -> None:
    """Let the one that waits have it."""
    await ward.more.pop("held").aclose()
    await ward.more.pop("waiter")


async def deaf(ward: Ward) -> None:
    """Listen in a transaction that does not end, while others notify."""
    held = ward.more["held"] = AsyncExitStack()
    database = await ward.open_as(None)
    held.push_async_callback(database.close)
    async with database.transaction() as transaction:
        await transaction.connection.execute("LISTEN drill")
        await transaction.commit()
    await held.enter_async_context(database.transaction())
    await ward.execute("SELECT pg_notify('drill', repeat('x', 7900) || n) FROM generate_series(1, 200) n")


async def with_room(ward: Ward) -> None:
    """Have the disk's limit lie somewhat under what is free now."""
    free = psutil.disk_usage(str(DISK)).free / MEGABYTE
    ward.restarted(disk_path=str(DISK), disk_free_limit_mb=free - 150)


async def disk_filled(ward: Ward) -> None:
    """Write a large file."""
    ward.more["file"] = DISK / f"tracker-drill-{psutil.Process().pid}"
    ward.more["file"].write_bytes(bytes(300 * MEGABYTE))


async def disk_emptied(ward: Ward) -> None:
    """Remove it."""
    ward.more.pop("file").unlink()


def given(megabytes: float, **settings: float) -> Act:
    """Return a step after which the database may grow by so much; its size was noted a day ago."""

    async def step(ward: Ward) -> None:
        await ward.look()
        await ward.execute("UPDATE tracker.database_sizes SET sampled_at = sampled_at - interval '1 day'")
        size = await ward.value("SELECT pg_database_size(current_database())") / MEGABYTE
        ward.restarted(database_limit_mb=size + megabytes, **settings)

    return step


async def numbered(ward: Ward) -> None:
    """Have the limit lie somewhat over the numbers of transactions that are used now."""
    age = await ward.value("SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()")
    ward.restarted(transaction_age_limit=age + 200)


async def numbers_used(ward: Ward) -> None:
    """Use up numbers of transactions."""
    for _ in range(300):
        await ward.value("SELECT txid_current()")


def tidied(statement: str) -> Act:
    """Return a step of what cannot be done in a transaction."""

    async def step(ward: Ward) -> None:
        async with ward.owner.transaction() as transaction:
            await transaction.commit()
            await transaction.connection.execute(statement)

    return step


class Service:
    """A service that only beats."""

    name = "shadow_tester"

    def detail(self) -> dict[str, Any]:
        """Tell nothing of its own."""
        return {"runs": 1}


async def beaten(ward: Ward, load: ProcessLoad | None = None) -> None:
    """Beat as the service, with this process' memory."""
    clock = SystemClock()
    pulse = Pulse(service=Service.name, started_at=clock.now(), instance="i", load=load)
    database = ward.more.setdefault("service", None) or await ward.open_as("shadow_tester")
    ward.more["service"] = database
    await beat(Service(), database, clock, pulse, get_logger("test"))


async def fed(ward: Ward) -> None:
    """Beat, and have the limit of memory lie somewhat over what is taken now."""
    await beaten(ward)
    ward.restarted(memory_limit_ratio=(psutil.Process().memory_info().rss / MEGABYTE + 100) / 320)


async def overfed(ward: Ward) -> None:
    """Take much memory."""
    ward.more["memory"] = b"x" * (250 * MEGABYTE)
    await beaten(ward)


async def slimmed(ward: Ward) -> None:
    """Give it back."""
    del ward.more["memory"]
    await beaten(ward)


async def rested(ward: Ward) -> None:
    """Beat after a time in which next to nothing was done; the clock is ours, the processor time real."""
    clock = ward.more["clock"] = FixedClock(SystemClock().now())
    load = ward.more["load"] = ProcessLoad(clock.monotonic, window_seconds=0.3)
    load.figures()
    clock.advance(100)
    await beaten(ward, load)


async def toiled(ward: Ward) -> None:
    """Beat after a time that was spent on work alone."""
    end = cpu_seconds() + 0.5
    while cpu_seconds() < end:
        sum(range(1000))
    ward.more["clock"].advance(0.4)
    await beaten(ward, ward.more["load"])


async def held_up(ward: Ward) -> None:
    """Block the event loop of a process that feels it, and beat."""
    load = ProcessLoad(SystemClock().monotonic, feel_seconds=0.05)
    feeling = asyncio.create_task(load.feel())
    await asyncio.sleep(0.1)
    time.sleep(0.7)
    await asyncio.sleep(0.1)
    feeling.cancel()
    await beaten(ward, load)


async def prompt(ward: Ward) -> None:
    """Beat as a process that was started anew."""
    await beaten(ward, ProcessLoad(SystemClock().monotonic))


DRILLS: tuple[Drill, ...] = (
    Drill(
        kind=PoolBudget,
        name="pool budget",
        breaking=holding(30),
        observed=r"3\d of our login",
        mending=left,
    ),
    Drill(
        kind=ServerConnections,
        name="server connections",
        breaking=holding(48),
        observed=r"5\d of 57",
        mending=left,
    ),
    Drill(
        kind=TransactionsShort,
        name="longest transaction",
        settings={"transaction_limit_seconds": 0.3},
        breaking=idling,
        observed=r"\d\.\d s, test",
        mending=left,
    ),
    Drill(
        kind=TransactionsBusy,
        name="idle in transaction",
        settings={"idle_transaction_limit_seconds": 0.3},
        breaking=idling,
        observed=r"\d\.\d s, test",
        mending=left,
    ),
    Drill(
        # Where the owner of the function is a login that may not look into the fleet's sessions.
        kind=TransactionsBusy,
        name="idle in transaction",
        breaking="ALTER FUNCTION tracker.sessions() OWNER TO tracker_reader",
        observed=r"\d of our \d sessions cannot be seen",
        mending="ALTER FUNCTION tracker.sessions() OWNER TO CURRENT_USER",
    ),
    Drill(
        kind=LocksFree,
        name="lock waits",
        settings={"lock_wait_limit_seconds": 0.3},
        breaking=waiting,
        observed=r"1 wait, test for \d\.\d s for test",
        mending=freed,
    ),
    Drill(
        kind=LatestBarsFast,
        name="read of latest bars",
        breaking=SLOW.format("latest_bar"),
        observed=r"1\d\d\.\d ms",
        mending="DROP POLICY slow ON tracker.latest_bar",
    ),
    Drill(
        kind=DayOfBarsFast,
        name="read of a day of bars",
        before=BARS,
        breaking=SLOW.format("ohlc_data"),
        observed=r"[345]\d\d\.\d ms",
        mending="DROP POLICY slow ON tracker.ohlc_data",
    ),
    Drill(
        kind=ScansPrompt,
        name="close to scan dca",
        breaking="UPDATE tracker.scan_watermarks SET updated_at = updated_at + interval '90 seconds'",
        observed=r"9\d\.\d s",
        mending="UPDATE tracker.scan_watermarks SET updated_at = updated_at - interval '85 seconds'",
    ),
    Drill(
        kind=AnswersPrompt,
        name="signal to order",
        breaking=SIGNAL,
        observed=r"1 without an answer, the oldest for 20\d s",
        mending=REFUSAL,
    ),
    Drill(
        kind=NotificationsTaken,
        name="notification queue",
        settings={"notification_limit_share": 0.0001},
        breaking=deaf,
        observed=r"0\.0\d\d% full",
        mending=left,
    ),
    Drill(
        kind=DiskFree,
        name="disk free",
        before=with_room,
        breaking=disk_filled,
        observed=rf"[\d,]+ MB of [\d,]+ MB at {DISK}",
        mending=disk_emptied,
    ),
    Drill(
        kind=DatabaseSize,
        name="database size",
        before=given(10),
        breaking=FILLED,
        observed=r"[345]\d MB",
        mending="DROP TABLE ballast",
    ),
    Drill(
        kind=DatabaseGrowth,
        name="database growth",
        before=given(100),
        breaking=FILLED,
        observed=r"\+2\d\.\d MB a day, full in [34]\.\d days",
        mending="DROP TABLE ballast",
    ),
    Drill(
        kind=TablesBounded,
        name="largest table",
        settings={"table_limit_mb": 1.0},
        breaking="INSERT INTO tracker.rejected_bars (source, reason, frame)"
        " SELECT 'x', 'y', repeat(md5(n::text), 50) FROM generate_series(1, 2000) n",
        observed=r"tracker\.rejected_bars: \d\.\d MB",
        mending="TRUNCATE tracker.rejected_bars",
    ),
    Drill(
        kind=LogNotKept,
        name="kept write-ahead log",
        settings={"kept_log_limit_mb": 1.0},
        breaking="SELECT pg_create_physical_replication_slot('drill', true);"
        " SELECT pg_logical_emit_message(false, 'drill', repeat(md5(n::text), 3000)) FROM generate_series(1, 40) n",
        observed=r"\d\.\d MB for drill",
        mending="SELECT pg_drop_replication_slot('drill')",
    ),
    Drill(
        kind=DeadRowsFew,
        name="dead rows",
        settings={"dead_rows_least": 1000},
        before="ALTER TABLE tracker.rejected_bars SET (autovacuum_enabled = false);"
        " INSERT INTO tracker.rejected_bars (source, reason, frame) SELECT 'x', 'y', '' FROM generate_series(1, 1000)",
        breaking="UPDATE tracker.rejected_bars SET reason = 'a'; UPDATE tracker.rejected_bars SET reason = 'b';"
        " UPDATE tracker.rejected_bars SET reason = 'c'; SELECT pg_stat_force_next_flush()",
        observed="rejected_bars: 3,000 dead, 1,000 live",
        mending=tidied("VACUUM tracker.rejected_bars"),
    ),
    Drill(
        kind=TransactionsFrozen,
        name="transaction age",
        before=numbered,
        breaking=numbers_used,
        observed=r"[\d,]+",
        mending=tidied("VACUUM (FREEZE)"),
    ),
    Drill(
        kind=MemoryWithin,
        name="memory",
        before=fed,
        breaking=overfed,
        observed=r"shadow_tester takes \d+ MB of 320 MB",
        mending=slimmed,
    ),
    Drill(
        kind=ProcessorFree,
        name="processor share",
        before=rested,
        breaking=toiled,
        observed=r"shadow_tester takes 1\d\d% of a core",
        mending=rested,
    ),
    Drill(
        kind=LoopsPrompt,
        name="event loop lag",
        settings={"loop_lag_limit_seconds": 0.5},
        before=prompt,
        breaking=held_up,
        observed=r"shadow_tester came [01]\.\d\d s late",
        mending=prompt,
    ),
)

"""A database that takes no writes for a while: back-pressure and an alert, and nothing is missing afterwards."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import psutil
import pytest
from tracker.store.database import Database
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.migrate import migrate
from tracker.testing.exchange import Exchange

from tests.integration.data_collector.collector_station import Station, until

if TYPE_CHECKING:
    from tests.integration.data_collector.conftest import MakeStation

BUFFER = 30
Statements = tuple[str, ...]

# What breaks the database, what mends it, and what the collector says meanwhile.
TROUBLES: dict[str, tuple[Statements, Statements, str]] = {
    "read-only": (
        ('ALTER DATABASE "{name}" SET default_transaction_read_only = on',),
        ('ALTER DATABASE "{name}" RESET default_transaction_read_only',),
        "the database is read-only",
    ),
    # What Postgres says where a table cannot grow, without a disk that is full.
    "full disk": (
        (
            "CREATE FUNCTION tracker.no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE 'could not extend file \"base/1/2\": No space left on device' USING ERRCODE = '53100'; END $$",
            "CREATE TRIGGER no_room BEFORE INSERT ON tracker.ohlc_data FOR EACH ROW EXECUTE FUNCTION tracker.no_room()",
        ),
        ("DROP TRIGGER no_room ON tracker.ohlc_data", "DROP FUNCTION tracker.no_room()"),
        "the database's disk is full",
    ),
}


async def administer(station: Station, statements: Statements) -> None:
    """Run statements as the owner, and have every session begin anew, as after a change of its defaults."""
    name = station.url.partition("@/")[2].partition("?")[0]
    connection = await asyncpg.connect(station.url)
    try:
        await connection.execute("SET default_transaction_read_only = off")
        for statement in statements:
            await connection.execute(statement.format(name=name))
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()


async def check_back_pressure(station: Station, says: str) -> None:
    """Raise AssertionError unless the collector goes on in its bounds and tells what a person should do."""
    await until(lambda: says in (station.pulse.last_error or ""), f"the alert: {says}")
    error = station.pulse.last_error or ""
    assert "by itself" in error
    assert "\n" not in error
    assert station.pulse.status == "fail"
    received = station.detail["received"]
    await station.advance(30)
    await until(lambda: station.detail["received"] >= received + 80, "what was streamed meanwhile")
    # In memory there is no more than the buffer holds; the rest is known by symbol and moment.
    assert station.detail["waiting"] <= BUFFER
    assert station.detail["overflowed"] > 0
    assert len(station.collector._buffer._lost) <= len(station.symbols)


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_database_that_takes_no_writes_holds_the_stream_up_and_loses_nothing(
    market: Exchange, make_station: MakeStation, trouble: str
) -> None:
    broken, mended, says = TROUBLES[trouble]
    # The lease outlasts the trouble, so that the stream goes on against a full buffer.
    station = await make_station(market, buffer_size=BUFFER, lease_ttl_seconds=120, lease_renew_seconds=30)
    async with station.running():
        await station.connected()
        first = await station.now()
        await station.closed(await station.advance(3))
        await administer(station, broken)
        await station.advance(1)
        await check_back_pressure(station, says)
        await administer(station, mended)
        end = await station.advance(3)
        await station.closed(end)
        await until(lambda: station.pulse.status == "pass", "health")
        assert station.detail["connections"] == 1
    await station.check_truth(first, end)
    await station.check_latest()


async def test_a_lease_that_cannot_be_renewed_in_a_read_only_database_ends_the_stream_until_it_can(
    market: Exchange, make_station: MakeStation
) -> None:
    broken, mended, says = TROUBLES["read-only"]
    station = await make_station(market, lease_ttl_seconds=1.2, lease_renew_seconds=0.3)
    async with station.running():
        await station.connected()
        first = await station.now()
        await station.closed(await station.advance(3))
        await administer(station, broken)
        await until(lambda: says in (station.detail["problem"] or ""), "the problem")
        assert station.detail["role"] == "standby"
        await station.advance(10)
        assert station.detail["waiting"] == 0
        await administer(station, mended)
        await station.connected(2)
        assert station.detail["problem"] is None
        end = await station.advance(3)
        await station.closed(end)
    await station.check_truth(first, end)


@asynccontextmanager
async def own_server() -> AsyncIterator[tuple[EmbeddedPostgres, Database]]:
    """Start a server of the test's own, with a migrated database and a connection to it."""
    with tempfile.TemporaryDirectory(prefix="tracker-trouble-") as folder:
        Path(folder).chmod(0o711)
        server = EmbeddedPostgres(Path(folder) / "postgres", Path(folder) / "run")
        await asyncio.to_thread(server.start)
        try:
            await asyncio.to_thread(migrate, server.url)
            database = await Database.open(
                server.url, role="tracker_data_collector", pool_size=3, application="test"
            )
            yield server, database
            await database.close()
        finally:
            await asyncio.to_thread(server.stop)


def stop_politely(server: EmbeddedPostgres) -> None:
    server.stop()


def kill_outright(server: EmbeddedPostgres) -> None:
    """Kill the postmaster and all its children at one moment, as a power cut would."""
    pid = server.pid()
    assert pid is not None
    family = psutil.Process(pid).children(recursive=True)
    os.kill(pid, signal.SIGKILL)
    for each in family:
        if each.is_running():
            each.kill()
    server.wait()


@pytest.mark.parametrize("end_server", [stop_politely, kill_outright])
async def test_a_database_that_restarts_in_mid_stream_loses_nothing(
    market: Exchange, end_server: Callable[[EmbeddedPostgres], None]
) -> None:
    async with own_server() as (server, database):
        station = Station(exchange=market, database=database, url=server.url, key=f"restarted-{end_server.__name__}")
        async with station.running():
            await station.connected()
            first = await station.now()
            await station.advance(5)
            # In the middle of what is being written.
            await asyncio.to_thread(end_server, server)
            await station.advance(5)
            await asyncio.to_thread(server.start)
            end = await station.advance(5)
            await station.closed(end)
        await station.check_truth(first, end)
        await station.check_latest()


@contextmanager
def small_disk(owner: int, group: int) -> Iterator[Path]:
    """Mount a file system of a few MB; skips where that is not allowed."""
    folder = Path(tempfile.mkdtemp(prefix="tracker-disk-"))
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() != 0 or mount is None or unmount is None:
        pytest.skip("mounting a small disk needs root")
    options = f"size=3m,uid={owner},gid={group},mode=700"
    done = subprocess.run([mount, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run([unmount, "-l", str(folder)], check=True)
        folder.rmdir()


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Fill a disk to its last byte for as long as the block lasts."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        with pytest.raises(OSError, match="No space left"):
            file.writelines(itertools.repeat(bytes(4096)))
    try:
        yield
    finally:
        filler.unlink()


async def test_a_disk_that_is_really_full_holds_the_stream_up_and_loses_nothing(market: Exchange) -> None:
    async with own_server() as (server, database):
        account = server._account
        with small_disk(account.uid if account else os.getuid(), account.gid if account else os.getgid()) as disk:
            station = Station(
                exchange=market, database=database, url=server.url, key="full",
                settings={"buffer_size": BUFFER, "lease_ttl_seconds": 120, "lease_renew_seconds": 30},
            )
            async with station.running():
                await station.connected()
                first = await station.now()
                await station.closed(await station.advance(3))
                await move_bars(station, disk, first)
                with filled(disk):
                    # What fits into the table's last page still goes in; the repair of what overflowed does not.
                    await station.advance(60)
                    await until(lambda: "disk is full" in (station.detail["problem"] or ""), "the repair's alert")
                    await fill_pages(station)
                    await check_back_pressure(station, "the database's disk is full")
                end = await station.advance(3)
                await station.closed(end)
                assert (station.detail["connections"], station.detail["problem"]) == (1, None)
            await station.check_truth(first, end)
            await station.check_latest()


async def fill_pages(station: Station) -> None:
    """Go on until nothing is left of the pages that the table had before, in which bars still find room."""
    for _ in range(30):
        await station.advance(30)
        await asyncio.sleep(0.3)
        if station.pulse.last_error is not None:
            return


async def move_bars(station: Station, disk: Path, moment: datetime) -> None:
    """Let the month's bars lie on that disk."""
    month = f"ohlc_data_{moment:%Y_%m}"
    connection = await asyncpg.connect(station.url)
    try:
        await connection.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
        await connection.execute(f"ALTER TABLE tracker.{month} SET TABLESPACE small")
        for row in await connection.fetch(
            "SELECT indexname FROM pg_indexes WHERE schemaname = 'tracker' AND tablename = $1", month
        ):
            await connection.execute(f"ALTER INDEX tracker.{row['indexname']} SET TABLESPACE small")
    finally:
        await connection.close()

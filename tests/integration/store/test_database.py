"""Transactions: explicit commit, roll back on leaving, and a pool that survives whatever happens in one."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tracker.domain.errors import DatabaseReadOnlyError, DatabaseUnavailableError, SchemaError
from tracker.store.database import Database
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.features import FEATURES_CHANNEL
from tracker.store.symbols import read_symbols, write_symbols
from tracker.testing.builders import make_instrument

Open = Callable[[str | None], Awaitable[Database]]


async def symbols(database: Database) -> list[str]:
    async with database.transaction() as transaction:
        return [each.symbol for each in await read_symbols(transaction)]


async def test_only_a_commit_keeps(open_database: Open) -> None:
    database = await open_database("data_collector")
    async with database.transaction() as transaction:
        await write_symbols(transaction, [make_instrument("BTC-USD")])
    assert await symbols(database) == []
    async with database.transaction() as transaction:
        await write_symbols(transaction, [make_instrument("ETH-USD")])
        await transaction.commit()
    assert await symbols(database) == ["ETH-USD"]

    async def fail() -> None:
        async with database.transaction() as transaction:
            await write_symbols(transaction, [make_instrument("SOL-USD")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await symbols(database) == ["ETH-USD"]


async def test_the_role_holds_for_one_transaction(open_database: Open) -> None:
    database = await open_database("data_collector")
    async with database.transaction() as transaction:
        assert await transaction.connection.fetchval("SELECT current_user") == "tracker_data_collector"
        await transaction.commit()
        assert await transaction.connection.fetchval("SELECT current_user") == "tracker"


async def test_cancellation_in_mid_statement_leaves_the_pool_usable(database_url: str) -> None:
    database = await Database.open(database_url, role=None, pool_size=1, application="test")

    async def linger() -> None:
        async with database.transaction() as transaction:
            await write_symbols(transaction, [make_instrument("BTC-USD")])
            await transaction.connection.execute("SELECT pg_sleep(30)")

    for _ in range(3):
        task = asyncio.create_task(linger())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            assert await symbols(database) == []
    await database.close()


async def test_a_lost_connection_is_retryable_and_the_next_transaction_works(open_database: Open) -> None:
    database, owner = await open_database("data_collector"), await open_database(None)

    async def lose() -> None:
        async with database.transaction() as transaction:
            pid = await transaction.connection.fetchval("SELECT pg_backend_pid()")
            async with owner.transaction() as other:
                await other.connection.execute("SELECT pg_terminate_backend($1)", pid)
            await read_symbols(transaction)

    with pytest.raises(DatabaseUnavailableError) as caught:
        await lose()
    assert caught.value.retryable
    assert await symbols(database) == []


async def test_a_server_that_went_away_is_retryable_and_found_again(database_url: str) -> None:
    with tempfile.TemporaryDirectory(prefix="tracker-gone-") as root:
        server = EmbeddedPostgres(Path(root) / "data", Path(root) / "run")
        with pytest.raises(DatabaseUnavailableError, match="cannot be reached"):
            await Database.open(server.url, role=None, pool_size=1, application="test")
        server.start()
        database = await Database.open(server.url, role=None, pool_size=1, application="test")
        server.stop()
        with pytest.raises(DatabaseUnavailableError):
            async with database.transaction() as transaction:
                await transaction.fetch_value("heartbeats.ping")
        server.start()
        async with database.transaction() as transaction:
            assert await transaction.fetch_value("heartbeats.ping") == 1
        await database.close()
        server.stop()


async def test_a_missing_column_is_no_reason_to_try_again(open_database: Open) -> None:
    owner, database = await open_database(None), await open_database("data_collector")
    async with owner.transaction() as transaction:
        await transaction.connection.execute("ALTER TABLE tracker.symbols DROP COLUMN vendor_tickers")
        await transaction.commit()
    with pytest.raises(SchemaError, match="vendor_tickers") as caught:
        await symbols(database)
    assert not caught.value.retryable


async def test_a_forbidden_write_is_no_reason_to_try_again(open_database: Open) -> None:
    with pytest.raises(SchemaError, match="permission denied for table symbols"):
        async with (await open_database("health_monitor")).transaction() as transaction:
            await write_symbols(transaction, [make_instrument("BTC-USD")])


async def test_a_hint_arrives_with_the_commit(open_database: Open) -> None:
    database = await open_database("feature_calculator")
    async with database.listening([FEATURES_CHANNEL]) as hint:
        async with asyncio.timeout(10):
            while not hint.is_set():
                async with database.transaction() as transaction:
                    await transaction.notify(FEATURES_CHANNEL, "now")
                    assert not hint.is_set()
                    await transaction.commit()
                await asyncio.sleep(0.05)
        hint.clear()
        async with database.transaction() as transaction:
            await transaction.notify(FEATURES_CHANNEL, "taken back")
        await asyncio.sleep(0.1)
        assert not hint.is_set()


async def test_a_lost_listener_listens_again(open_database: Open) -> None:
    database, owner = await open_database("feature_calculator"), await open_database(None)
    async with database.listening([FEATURES_CHANNEL]) as hint, asyncio.timeout(15):
        for _ in range(2):
            while not hint.is_set():
                async with owner.transaction() as transaction:
                    await transaction.notify(FEATURES_CHANNEL, "now")
                    await transaction.commit()
                await asyncio.sleep(0.05)
            async with owner.transaction() as transaction:
                await transaction.connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND query ILIKE 'LISTEN%'"
                )
            await asyncio.sleep(0.2)
            hint.clear()


async def test_a_snapshot_sees_one_moment_and_writes_nothing(open_database: Open) -> None:
    owner, reader = await open_database(None), await open_database("data_scheduler")
    count, add = "SELECT count(*) FROM tracker.symbols", "INSERT INTO tracker.symbols (symbol) VALUES ('S-USD')"
    async with reader.transaction(snapshot=True) as seen:
        assert await seen.connection.fetchval(count) == 0
        async with owner.transaction() as transaction:
            await transaction.connection.execute(add)
            await transaction.commit()
        assert await seen.connection.fetchval(count) == 0
    async with reader.transaction() as transaction:
        assert await transaction.connection.fetchval(count) == 1
    with pytest.raises(DatabaseReadOnlyError):
        async with owner.transaction(snapshot=True) as transaction:
            await transaction.connection.execute(add.replace("S-USD", "T-USD"))

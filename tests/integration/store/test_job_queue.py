"""The queue's tables are those that the installed library works with, and its statements are ours to commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment
from pgqueuer.adapters.persistence.queries import Queries
from tracker.domain.job import JobKind, Work
from tracker.store.database import Database, Transaction
from tracker.store.jobs import NAMES, enqueue, take_next

Open = Callable[[str | None], Awaitable[Database]]
WORK = Work(kind=JobKind.TRAIN, strategy="dca", reason="test")
# Of what it declares: nobody listens, and nobody would write the others.
LEFT_OUT = ("pgqueuer_schedules", "pgqueuer_statistics", "fn_pgqueuer_changed", "tg_pgqueuer_changed")


async def test_nothing_is_missing_that_the_library_declares_but_what_is_left_out(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        queries = Queries.from_asyncpg_connection(connection)
        queries.qbe = QueryBuilderEnvironment(NAMES)
        plan = await queries.plan_upgrade()
        wanted = [each for each in plan.statements if not any(name in each for name in LEFT_OUT)]
        assert wanted == []
        # It sees what differs: the check can fail.
        await connection.execute("ALTER TABLE tracker.pgqueuer DROP COLUMN attempts")
        plan = await queries.plan_upgrade()
        assert any("attempts" in each for each in plan.statements)
    finally:
        await connection.close()


async def test_what_is_not_committed_was_not_queued(open_database: Open) -> None:
    database = await open_database("ml_retrainer")
    async with database.transaction() as transaction:
        assert await enqueue(transaction, WORK)
    async with database.transaction() as transaction:
        assert await take_next(transaction, uuid4(), timedelta(seconds=30)) is None


async def test_two_take_a_job_once_and_a_silent_one_is_taken_again(open_database: Open) -> None:
    database = await open_database("ml_retrainer")
    async with database.transaction() as transaction:
        await enqueue(transaction, WORK)
        await transaction.commit()
    async with database.transaction() as one, database.transaction() as other:
        found = await take_next(one, uuid4(), timedelta(seconds=30))
        assert found is not None
        assert found.work == WORK
        assert await take_next(other, uuid4(), timedelta(seconds=30)) is None
        await one.commit()
    async with database.transaction() as transaction:
        assert await take_next(transaction, uuid4(), timedelta(seconds=30)) is None
        await transaction.connection.execute("UPDATE tracker.pgqueuer SET heartbeat = now() - interval '31 seconds'")
        assert await take_next(transaction, uuid4(), timedelta(seconds=30)) == found


@pytest.mark.parametrize("service", ["control", "dashboard", "paper_trader"])
async def test_nobody_else_writes_the_queue(open_database: Open, service: str) -> None:
    database = await open_database(service)
    with pytest.raises(Exception, match="permission denied"):
        async with database.transaction() as transaction:
            await enqueue(transaction, WORK)


async def test_its_statements_work_without_prepared_ones(database_url: str) -> None:
    connection = await asyncpg.connect(database_url, statement_cache_size=0)
    try:
        begin = "BEGIN; SET LOCAL ROLE tracker_ml_retrainer"
        await connection.execute(begin)
        assert await enqueue(Transaction(connection), WORK)
        await connection.execute("COMMIT")
        await connection.execute(begin)
        assert await take_next(Transaction(connection), uuid4(), timedelta(seconds=30)) is not None
    finally:
        await connection.close()

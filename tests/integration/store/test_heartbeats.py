"""Replicas of a service beat side by side; what is gone leaves its count of restarts to what lives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from tracker.store.database import Database
from tracker.store.heartbeats import GONE_AFTER, Heartbeat, write_heartbeat
from tracker.store.status import read_status

Open = Callable[[str | None], Awaitable[Database]]
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
async def database(open_database: Open) -> Database:
    return await open_database("data_collector")


async def beat(
    database: Database, instance: str, seconds: float = 0, *, status: str = "pass", service: str = "data_collector"
) -> None:
    row = Heartbeat(
        service=service, instance=instance, pid=1, started_at=NOW, beat_at=NOW + timedelta(seconds=seconds),
        status=status, rss_bytes=1, detail={"role": f"role of {instance}"},
    )
    async with database.transaction() as transaction:
        await write_heartbeat(transaction, row)
        await transaction.commit()


async def restarts(database: Database) -> dict[str, int]:
    async with database.transaction() as transaction:
        return {each.instance: each.restarts for each in (await read_status(transaction)).services}


async def test_instances_that_live_leave_one_another_alone(database: Database) -> None:
    for seconds in range(3):
        await beat(database, "a", seconds)
        await beat(database, "b", seconds + 0.5)
    assert await restarts(database) == {"a": 0, "b": 0}
    async with database.transaction() as transaction:
        services = (await read_status(transaction)).services
    assert [each.role for each in services] == ["role of a", "role of b"]


async def test_one_that_stopped_is_followed_by_its_successor(database: Database) -> None:
    for number in range(3):
        await beat(database, f"i{number}")
        await beat(database, f"i{number}", status="stopped")
    assert await restarts(database) == {"i2": 2}


async def test_one_that_fell_silent_counts_once_it_is_gone(database: Database) -> None:
    limit = GONE_AFTER.total_seconds()
    await beat(database, "killed")
    await beat(database, "new", 1)
    assert await restarts(database) == {"killed": 0, "new": 0}
    await beat(database, "new", limit + 1)
    await beat(database, "new", limit + 2)
    assert await restarts(database) == {"new": 1}


async def test_another_service_is_left_alone(database: Database) -> None:
    await beat(database, "old", status="stopped", service="data_collector_other")
    await beat(database, "new", 60)
    assert await restarts(database) == {"new": 0, "old": 0}

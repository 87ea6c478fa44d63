"""A database in which nothing has happened yet, and one of a fleet in which everything holds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from tracker.store.database import Database
from tracker.testing.clock import FixedClock
from ward import Ward, monitor


@pytest.fixture
async def ward(open_database: Callable[[str | None], Awaitable[Database]]) -> Ward:
    """A database in which nothing has happened yet."""
    clock = FixedClock(datetime(2024, 3, 1, tzinfo=UTC))
    database = await open_database("health_monitor")
    return Ward(await open_database(None), database, monitor(database, clock), clock, open_database)


@pytest.fixture
async def healthy(ward: Ward) -> Ward:
    """A fleet in which everything holds."""
    await ward.make_healthy()
    await ward.green()
    return ward

"""A database with a queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from job_house import JobHouse
from tracker.store.database import Database


@pytest.fixture
async def house(open_database: Callable[[str | None], Awaitable[Database]]) -> JobHouse:
    """An empty database."""
    return await JobHouse.of(open_database)

"""A database with five months of bars."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from bar_house import NOW, BarHouse, fill
from tracker.store.database import Database
from tracker.testing.clock import FixedClock


@pytest.fixture
async def house(open_database: Callable[[str | None], Awaitable[Database]]) -> BarHouse:
    """Five months of bars, and a clock that stands still."""
    made = BarHouse(open_database, await open_database(None), FixedClock(NOW))
    await fill(made)
    return made

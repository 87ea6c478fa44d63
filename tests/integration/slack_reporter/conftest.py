"""A database with a reporter, beside a local Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from reporter_house import NOON, ReporterHouse
from tracker.store.database import Database
from tracker.testing.clock import FixedClock
from tracker.testing.slack import fake_slack


@pytest.fixture
async def house(open_database: Callable[[str | None], Awaitable[Database]]) -> AsyncIterator[ReporterHouse]:
    """A reporter that has looked once, with nothing to tell."""
    clock = FixedClock(NOON)
    async with fake_slack(clock) as slack:
        made = await ReporterHouse.of(open_database, slack, clock)
        await made.monitor_looks()
        await made.run()
        yield made

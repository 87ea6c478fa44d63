"""A hosted database: an older Postgres, and a login that owns the schema and is no superuser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import drills_load
import pytest
from tracker.store.database import Database
from tracker.store.migrate import migrate
from tracker.testing.clock import FixedClock
from ward import Ward, go_through, monitor

from services.health_monitor.invariants.load.sessions import LocksFree, TransactionsBusy, TransactionsShort

SEEN = (TransactionsShort, TransactionsBusy, LocksFree)


@pytest.fixture
async def hosted(older_url: str) -> AsyncIterator[Ward]:
    """A migrated database there."""
    migrate(older_url)
    opened: list[Database] = []

    async def open_as(service: str | None) -> Database:
        role = None if service is None else f"tracker_{service}"
        opened.append(await Database.open(older_url, role=role, pool_size=3, application="test"))
        return opened[-1]

    clock = FixedClock(datetime(2024, 3, 1, tzinfo=UTC))
    database = await open_as("health_monitor")
    yield Ward(await open_as(None), database, monitor(database, clock), clock, open_as)
    for each in opened:
        await each.close()


async def test_everything_is_judged_and_holds(hosted: Ward) -> None:
    await hosted.make_healthy()
    await hosted.green()


@pytest.mark.parametrize("drill", [each for each in drills_load.DRILLS if each.settings and each.kind in SEEN], ids=str)
async def test_what_our_own_sessions_are_at_is_seen(hosted: Ward, drill: drills_load.Drill) -> None:
    await go_through(drill, hosted)

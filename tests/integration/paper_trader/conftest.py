"""A paper trader on a real database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from paper_desk import Desk
from tracker.store.database import Database
from tracker.testing.paper_world import PaperWorld


@pytest.fixture
async def desk(open_database: Callable[[str | None], Awaitable[Database]]) -> Desk:
    """A desk at an empty market."""
    return Desk(PaperWorld(await open_database(None)), await open_database("paper_trader"))

"""The paper trader as a process of its own."""

from __future__ import annotations

import asyncio
import sys

from paper_desk import Desk
from tracker.runtime.settings import environment


async def start(database_url: str, batch_minutes: str = "1") -> asyncio.subprocess.Process:
    """Start the service on small batches."""
    settings = {
        "DATABASE_URL": database_url,
        "PORT": "0",
        "PAPER_TRADER_BATCH_MINUTES": batch_minutes,
        "PAPER_TRADER_SIGNAL_GRACE_SECONDS": "none",
        "LOG_LEVEL": "WARNING",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.paper_trader", env={**environment(), **settings}
    )


async def reached(desk: Desk) -> object:
    """Return how far the ledger has come."""
    rows = await desk.rows("SELECT min(processed_through) AS reached FROM tracker.paper_cursor")
    return rows[0]["reached"]

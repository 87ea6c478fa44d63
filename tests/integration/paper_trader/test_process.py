"""The real process, killed again and again."""

from __future__ import annotations

import asyncio

from busy_market import HOURS, busy_market
from paper_desk import Desk
from paper_process import reached, start
from tracker.runtime.accounts import load_accounts
from tracker.runtime.settings import load_settings
from tracker.testing.paper_world import minutes
from tracker.testing.trades import NOON

from services.paper_trader.settings import PaperTraderSettings


async def test_killed_at_any_moment_it_resumes_to_the_same_ledger(desk: Desk, database_url: str) -> None:
    await busy_market(desk)
    accounts = load_accounts(load_settings(PaperTraderSettings).config_dir)
    assert len(accounts) > 1
    await desk.catch_up(desk.trader(accounts=accounts, strategies="dca,swing,channel"))
    expected = await desk.ledger()
    await desk.forget()
    seen = None
    for _ in range(3):
        process = await start(database_url)
        seen = await moved(desk, seen)
        process.kill()
        await process.wait()
    assert seen != NOON + minutes(HOURS * 60)
    process = await start(database_url)
    async with asyncio.timeout(30):
        while await reached(desk) != NOON + minutes(HOURS * 60):
            await asyncio.sleep(0.05)
    process.terminate()
    assert await process.wait() == 0
    assert await desk.ledger() == expected


async def moved(desk: Desk, before: object) -> object:
    """Wait until the ledger has moved on, and return how far."""
    async with asyncio.timeout(30):
        while True:
            now = await reached(desk)
            if now not in (before, None):
                return now
            await asyncio.sleep(0.01)

"""The paper trader killed outright at moments of no meaning, in one small replay after the other: one ledger."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal

import pytest
from busy_market import HOURS, busy_market
from paper_desk import Desk
from paper_process import reached, start
from tracker.domain.command import Command, CommandKind
from tracker.runtime.accounts import load_accounts
from tracker.runtime.settings import load_settings
from tracker.store.commands import write_command
from tracker.store.database import Database
from tracker.testing.paper_world import PaperWorld, minutes
from tracker.testing.trades import NOON

from services.paper_trader.settings import PaperTraderSettings

# `TRACKER_KILL_REPLAYS=100 pytest tests/chaos/test_kill_paper_trader.py -s` tells where it was killed.
REPLAYS = int(os.environ.get("TRACKER_KILL_REPLAYS", "4"))
END = NOON + minutes(HOURS * 60)
# Event minutes in one transaction; few, so that there are many moments between two of them.
BATCHES = ("2", "6", "30")


@pytest.mark.timeout(3600)
async def test_whenever_it_is_killed_the_ledger_is_the_same(
    open_database: Callable[[str | None], Awaitable[Database]], database_url: str
) -> None:
    desk = Desk(PaperWorld(await open_database(None)), await open_database("paper_trader"))
    await busy_market(desk)
    async with desk.world.owner.transaction() as transaction:
        # Waits for an answer from the first transaction on, and is given but one.
        money = Command(
            account="paper", kind=CommandKind.DEPOSIT, arguments={"amount": str(Decimal("77.5"))}, requested_by="a test"
        )
        await write_command(transaction, money)
        await transaction.commit()
    accounts = load_accounts(load_settings(PaperTraderSettings).config_dir)
    await desk.catch_up(desk.trader(accounts=accounts, strategies="dca,swing,channel"))
    expected = await desk.ledger()
    assert len(expected["trade_logs"]) > 20
    places: list[float] = []
    for replay in range(REPLAYS):
        await desk.forget()
        places += await replay_with_kills(desk, database_url, random.Random(replay))
        ledger = await desk.ledger()
        for table, rows in expected.items():
            assert ledger[table] == rows, (replay, table)
    print(f"{REPLAYS} replays, {len(places)} kills, at {' '.join(f'{each:.0%}' for each in sorted(places))} of the way")
    assert any(0 < each < 1 for each in places)


async def replay_with_kills(desk: Desk, database_url: str, rng: random.Random) -> list[float]:
    """Let the process work to the end, killed a few times on the way; return where, as parts of the way."""
    batch, places = rng.choice(BATCHES), [0.0]
    for goal in sorted(rng.random() for _ in range(rng.randint(1, 3))):
        process = await start(database_url, batch)
        # Now and then before it has done anything at all.
        if rng.random() > 0.1:
            await work(desk, process, goal)
        await asyncio.sleep(rng.uniform(0.0, 0.05))
        process.kill()
        await process.wait()
        places.append(part_of(await reached(desk)))
    process = await start(database_url, batch)
    await work(desk, process, 1.0)
    process.kill()
    await process.wait()
    return places[1:]


async def work(desk: Desk, process: asyncio.subprocess.Process, goal: float) -> None:
    """Wait until the process has gone so far."""
    async with asyncio.timeout(120):
        while part_of(await reached(desk)) < goal:
            assert process.returncode is None
            await asyncio.sleep(0.01)


def part_of(moment: object) -> float:
    """Return how much of the way is done."""
    return max((moment - NOON) / (END - NOON), 0.0) if isinstance(moment, datetime) else 0.0

"""kill -9 of the shadow's worker at any point leaves the rows that an uninterrupted run leaves.

TRACKER_SHADOW_KILLS says in how many runs it is killed; a handful where it is not set.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from shadow_house import HISTORY, OPENED, ShadowHouse, work
from tracker.runtime.candles import read_candles
from tracker.store.bars import BarTable
from tracker.store.database import Database

RUNS = int(os.environ.get("TRACKER_SHADOW_KILLS", "3"))
END = OPENED + timedelta(days=2)


@pytest.fixture
async def house(
    open_database: Callable[[str | None], Awaitable[Database]], shared_candles: Path, tmp_path: Path
) -> ShadowHouse:
    candles = read_candles(shared_candles / "BTC-PERP_1m_2022-01.csv")
    minutes = BarTable(
        ts=candles.ts, open=candles.o, high=candles.h, low=candles.l, close=candles.c, volume=candles.v
    )
    found = ShadowHouse.of(await open_database(None), await open_database("feature_calculator"), minutes, tmp_path)
    await found.trade(["AAA-USD", "BTC-USD"], HISTORY, END)
    await found.close(END)
    return found


@pytest.mark.timeout(400 + 30 * RUNS)
async def test_a_killed_worker_leaves_what_an_uninterrupted_one_leaves(
    house: ShadowHouse, database_url: str
) -> None:
    run = Worker(house.configs, database_url)
    run.to_the_end()
    await house.forget()
    # Again, for how long it takes once the hot loops are compiled.
    run.to_the_end()
    whole = await house.rows()
    assert len(whole["shadow_testing_trades"]) > 20
    rng = random.Random(11)
    for number in range(RUNS):
        await house.forget()
        for _ in range(rng.randint(1, 4)):
            run.killed_within(rng.uniform(0.0, run.seconds))
        run.to_the_end()
        assert await house.rows() == whole, f"run {number}"
    assert run.kills > 0
    print(f"{RUNS} runs, {run.kills} kills")


class Worker:
    """Starts worker processes, forked from one that has everything imported; a few closes a transaction."""

    def __init__(self, configs: Path, url: str) -> None:
        self.kills = 0
        self.seconds = 0.0
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["services.shadow_tester.worker"])
        self._variables = {
            "DATABASE_URL": url,
            "TRACKER_CONFIG_DIR": str(configs),
            "SHADOW_TESTER_CLOSES_PER_RUN": "4",
            "SHADOW_TESTER_LINGER_SECONDS": "0",
            "LOG_LEVEL": "WARNING",
        }

    def to_the_end(self) -> None:
        begun = time.monotonic()
        process = self._started()
        # The first one ever compiles the hot loops.
        process.join(300)
        assert process.exitcode == 0
        self.seconds = time.monotonic() - begun

    def killed_within(self, seconds: float) -> None:
        process = self._started()
        time.sleep(seconds)
        if process.is_alive():
            process.kill()
            self.kills += 1
        process.join(10)

    def _started(self) -> Any:
        process = self._context.Process(target=work, args=(self._variables,))
        process.start()
        return process

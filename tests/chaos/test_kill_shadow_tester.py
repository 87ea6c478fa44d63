"""kill -9 of the shadow's worker at any point leaves the rows that an uninterrupted run leaves.

TRACKER_SHADOW_KILLS says in how many runs it is killed; a handful where it is not set.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from shadow_house import HISTORY, OPENED, ShadowHouse
from tracker.runtime.candles import read_candles
from tracker.runtime.settings import PROJECT_ROOT, environment
from tracker.store.bars import BarTable
from tracker.store.database import Database

RUNS = int(os.environ.get("TRACKER_SHADOW_KILLS", "3"))
END = OPENED + timedelta(days=2)
# From the start of the process to beyond the end of its work.
LATEST_SECONDS = 2.5


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


@pytest.mark.timeout(60 + 30 * RUNS)
async def test_a_killed_worker_leaves_what_an_uninterrupted_one_leaves(
    house: ShadowHouse, database_url: str
) -> None:
    run = Worker(house.configs, database_url)
    run.to_the_end()
    whole = await house.rows()
    assert len(whole["shadow_testing_trades"]) > 20
    rng = random.Random(11)
    for number in range(RUNS):
        await house.forget()
        for _ in range(rng.randint(1, 4)):
            run.killed_after(rng.uniform(0.0, LATEST_SECONDS))
        run.to_the_end()
        assert await house.rows() == whole, f"run {number}"
    assert run.kills > 0


class Worker:
    """Starts the worker process; one close and strategy a transaction."""

    def __init__(self, configs: Path, url: str) -> None:
        self.kills = 0
        self._variables = {
            **environment(),
            "DATABASE_URL": url,
            "TRACKER_CONFIG_DIR": str(configs),
            "SHADOW_TESTER_CLOSES_PER_RUN": "4",
            "SHADOW_TESTER_LINGER_SECONDS": "0.1",
            "LOG_LEVEL": "WARNING",
        }

    def to_the_end(self) -> None:
        with self._started() as process:
            assert process.wait(120) == 0

    def killed_after(self, seconds: float) -> None:
        with self._started() as process:
            time.sleep(seconds)
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
                self.kills += 1
            process.wait(10)

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "services.shadow_tester.worker"],
            env=self._variables, cwd=PROJECT_ROOT, stdout=subprocess.DEVNULL,
        )  # fmt: skip

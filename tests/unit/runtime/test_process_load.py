"""What a process says of its own load."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from tracker.domain.clock import SystemClock
from tracker.runtime.process_load import ProcessLoad
from tracker.testing.clock import FixedClock


def test_the_share_is_the_mean_of_the_window() -> None:
    clock, used = FixedClock(datetime(2024, 3, 1, tzinfo=UTC)), iter((5.0, 6.0, 16.0, 16.0))
    load = ProcessLoad(clock.monotonic, window_seconds=20, cpu=lambda: next(used))
    assert "cpu_share" not in load.figures()
    clock.advance(10)
    assert load.figures()["cpu_share"] == 0.1
    clock.advance(10)
    assert load.figures()["cpu_share"] == 0.55
    clock.advance(20)
    assert load.figures()["cpu_share"] == 0.0


def test_the_lag_is_the_worst_of_the_window() -> None:
    clock = FixedClock(datetime(2024, 3, 1, tzinfo=UTC))
    load = ProcessLoad(clock.monotonic, window_seconds=20)
    assert load.figures()["loop_lag_seconds"] == 0
    for late in (0.5, 2.0, 0.1):
        load.came(late)
    assert load.figures()["loop_lag_seconds"] == 2
    clock.advance(21)
    assert load.figures()["loop_lag_seconds"] == 0


async def test_a_loop_that_is_free_hardly_lags() -> None:
    load = ProcessLoad(SystemClock().monotonic, feel_seconds=0.01)
    feeling = asyncio.create_task(load.feel())
    await asyncio.sleep(0.1)
    feeling.cancel()
    assert 0 <= load.figures()["loop_lag_seconds"] < 60

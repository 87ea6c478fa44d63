"""How long things take, and how a table of it is printed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Milliseconds of repeated runs."""

    n: int
    p50: float
    p99: float


def times_of(seconds: Sequence[float]) -> Times:
    """Return the median and the 99th percentile of some durations."""
    return Times(
        n=len(seconds), p50=1000 * float(np.median(seconds)), p99=1000 * float(np.quantile(seconds, 0.99))
    )


async def measured(work: Callable[[int], Awaitable[object]], n: int, warm: int) -> Times:
    """Run `work` `warm` times unseen and `n` times timed; it is handed its number."""
    for number in range(warm):
        await work(number)
    durations: list[float] = []
    for number in range(warm, warm + n):
        started = time.perf_counter()
        await work(number)
        durations.append(time.perf_counter() - started)
    return times_of(durations)

"""How much room the disk has."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
from tracker.store.database import Transaction
from tracker.store.health.facts import Facts, read_now

from services.health_monitor.settings import MonitorSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFacts(Facts):
    """Room on the disk that `path` lies on, in bytes."""

    path: str
    total_bytes: int
    free_bytes: int


async def read_disk(transaction: Transaction, settings: MonitorSettings) -> DiskFacts:
    """Return how much room there is; raises OSError where there is no such path."""
    usage = psutil.disk_usage(str(settings.disk_path))
    return DiskFacts(
        now=await read_now(transaction), path=str(settings.disk_path), total_bytes=usage.total, free_bytes=usage.free
    )

"""Heartbeats: each service tells that it lives, in its own row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from tracker.store.database import Transaction

# An instance that has not beaten for so long is gone, and one that beats takes its row over.
GONE_AFTER = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The last sign of life of one instance of a service; `rss_bytes` is its memory, `detail` what it counts."""

    service: str
    instance: str
    pid: int
    started_at: datetime
    beat_at: datetime
    status: str
    rss_bytes: int
    detail: dict[str, Any]


async def write_heartbeat(transaction: Transaction, beat: Heartbeat) -> None:
    """Replace the instance's row; one that takes over from another that is gone counts as a restart."""
    await transaction.execute(
        "heartbeats.write",
        beat.service,
        beat.instance,
        beat.pid,
        beat.started_at,
        beat.beat_at,
        beat.status,
        beat.rss_bytes,
        orjson.dumps(beat.detail).decode(),
        GONE_AFTER,
    )


async def read_heartbeats(transaction: Transaction) -> list[Heartbeat]:
    """Return the last heartbeat of every instance, by service."""
    return [
        Heartbeat(
            service=row["service"],
            instance=row["instance"],
            pid=row["pid"],
            started_at=row["started_at"],
            beat_at=row["beat_at"],
            status=row["status"],
            rss_bytes=row["rss_bytes"],
            detail=orjson.loads(row["detail"]),
        )
        for row in await transaction.fetch("heartbeats.read_all")
    ]

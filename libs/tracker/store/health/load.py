"""Facts of the group "load": sessions, waits, queues, sizes and what the server has to tidy up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from tracker.store.database import Transaction
from tracker.store.health.facts import Facts, read_now


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts(Facts):
    """Sessions of the database: how many are ours and may not be looked into, and the longest of what they are at.

    `sessions` counts those of the whole server, which takes `most_sessions`; times in seconds.
    """

    ours: int
    unseen: int
    transaction_seconds: float
    transaction_of: str | None
    idle_seconds: float
    idle_of: str | None
    sessions: int
    most_sessions: int
    waiting: int
    wait_seconds: float
    waiter: str | None
    holder: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How long after a close was complete a strategy had scanned it; None while the two are not at the same close."""

    strategy: str
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFacts(Facts):
    """What waits: `notifications` is a share of the queue's room, the rest is in seconds."""

    notifications: float
    delays: Sequence[Delay]
    unanswered: int
    unanswered_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeFacts(Facts):
    """How large the database is, in bytes, and was at the first sample of the last week."""

    database_bytes: int
    largest: str | None
    largest_bytes: int
    sampled_at: datetime | None
    sampled_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepFacts(Facts):
    """What the server has to tidy up: the worst table's dead rows, old transactions, kept write-ahead log in bytes."""

    table_name: str | None
    dead_rows: int
    live_rows: int
    transaction_age: int
    slot: str | None
    slot_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFacts(Facts):
    """How long the fleet's two usual reads took, median of a few, in seconds."""

    latest_bars: float
    day_of_bars: float


async def read_sessions(transaction: Transaction) -> SessionFacts:
    """Return what the sessions are at."""
    sessions = await transaction.fetch_row("health_load.sessions")
    server = await transaction.fetch_row("health_load.server")
    waits = await transaction.fetch_row("health_load.waits")
    assert sessions is not None  # noqa: S101 - the query returns one row always
    assert server is not None  # noqa: S101 - the query returns one row always
    assert waits is not None  # noqa: S101 - the query returns one row always
    return SessionFacts(
        now=await read_now(transaction), **dict(sessions), **dict(server), waiting=waits["waiting"],
        wait_seconds=waits["seconds"], waiter=waits["waiter"], holder=waits["holder"],
    )  # fmt: skip


async def read_queues(transaction: Transaction) -> QueueFacts:
    """Return what waits."""
    notifications = await transaction.fetch_value("health_load.notifications")
    delays = await transaction.fetch("health_load.delays")
    unanswered = await transaction.fetch_row("health_load.unanswered")
    assert unanswered is not None  # noqa: S101 - the query returns one row always
    return QueueFacts(
        now=await read_now(transaction), notifications=notifications,
        delays=[Delay(**dict(row.items())) for row in delays], unanswered=unanswered["signals"],
        unanswered_seconds=unanswered["seconds"],
    )  # fmt: skip


async def read_sizes(transaction: Transaction) -> SizeFacts:
    """Return how large the database is, and note it down where the last note is an hour old."""
    row = await transaction.fetch_row("health_load.sizes")
    first = await transaction.fetch_row("health_load.first_size")
    assert row is not None  # noqa: S101 - the query returns one row always
    facts = SizeFacts(
        now=await read_now(transaction), **dict(row.items()),
        sampled_at=None if first is None else first["sampled_at"],
        sampled_bytes=None if first is None else first["database_bytes"],
    )  # fmt: skip
    if await transaction.fetch_value("health_load.size_is_due"):
        await transaction.execute("health_load.note_size", facts.database_bytes)
        await transaction.execute("health_load.forget_sizes")
        await transaction.commit()
    return facts


async def read_upkeep(transaction: Transaction, least_dead: int) -> UpkeepFacts:
    """Return what is to be tidied up; tables with fewer than `least_dead` dead rows do not count."""
    upkeep = await transaction.fetch_row("health_load.upkeep", least_dead)
    slots = await transaction.fetch_row("health_load.slots")
    assert upkeep is not None  # noqa: S101 - the query returns one row always
    assert slots is not None  # noqa: S101 - the query returns one row always
    return UpkeepFacts(
        now=await read_now(transaction), **dict(upkeep.items()), slot=slots["slot"], slot_bytes=slots["bytes"]
    )


async def time_reads(transaction: Transaction, monotonic: Callable[[], float], times: int) -> ReadFacts:
    """Return how long the usual reads take."""
    took: dict[str, list[float]] = {"health_load.latest_bars": [], "health_load.day_of_bars": []}
    for _ in range(times):
        for name, seconds in took.items():
            began = monotonic()
            await transaction.fetch(name)
            seconds.append(monotonic() - began)
    latest, day = (median(seconds) for seconds in took.values())
    return ReadFacts(now=await read_now(transaction), latest_bars=latest, day_of_bars=day)

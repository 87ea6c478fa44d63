"""What the page of the shadow shows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tracker.store.database import Transaction

Plain = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a strategy's variations were tried in event time; signals and what was held back are of the last day."""

    strategy: str
    variations: int
    ever: int
    started_at: datetime
    closed_through: datetime
    as_of: datetime | None
    signals: int
    held_back: int
    model_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What a variation came to in a window; `dsr` is None where nothing moved. Returns are fractions."""

    strategy: str
    variation: str
    is_live: bool
    trades: int
    total_return: float
    dsr: float | None
    first_half_return: float
    second_half_return: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """All variations of a window, and the best of them with the live ones, `changes` as a mapping."""

    points: tuple[Point, ...]
    leaders: tuple[Plain, ...]


async def read_shadow_progress(transaction: Transaction) -> tuple[Progress, ...]:
    """Return how far each strategy's variations were tried."""
    return tuple(Progress(**dict(row.items())) for row in await transaction.fetch("pages_shadow.progress"))


async def read_shadow_window(
    transaction: Transaction, span: str, strategy: str, as_of: datetime | None
) -> Window:
    """Return what all variations of a strategy, or of all (empty), came to in a window as of the newest outcomes.

    `as_of` is of those outcomes: each is worth asking for once.
    """
    del as_of
    points = await transaction.fetch("pages_shadow.points", span, strategy)
    leaders = await transaction.fetch("pages_shadow.leaders", span, strategy)
    return Window(
        points=tuple(Point(**dict(row.items())) for row in points),
        leaders=tuple({**dict(row.items()), "changes": orjson.loads(row["changes"])} for row in leaders),
    )


async def read_variation(transaction: Transaction, variation: str, as_of: datetime | None) -> tuple[Plain, ...]:
    """Return one variation in each window, the shortest first; `as_of` as in read_shadow_window."""
    del as_of
    rows = await transaction.fetch("pages_shadow.variation", variation)
    return tuple({**dict(row.items()), "changes": orjson.loads(row["changes"])} for row in rows)

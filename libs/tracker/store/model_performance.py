"""How champions do live: what they said and how it ended, and what was made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRows:
    """Scores whose trades have ended, (n,) by time; `decided_at` in Unix seconds, `net_return` a share after fees."""

    decided_at: NDArray[np.int64]
    probability: NDArray[np.float64]
    won: NDArray[np.float64]
    net_return: NDArray[np.float64]
    weight: NDArray[np.float64]
    taken: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """What one look at a champion said; see the table's comments."""

    model_id: int
    strategy: str
    window_from: datetime
    window_to: datetime
    action: str
    acted: bool
    figures: Mapping[str, Any]
    criteria: Sequence[Mapping[str, Any]]
    drift: Sequence[Mapping[str, Any]]


async def read_live_rows(
    transaction: Transaction, strategy: str, model_id: int, begin: datetime, end: datetime
) -> LiveRows:
    """Return a model's scores of setups decided in (begin, end] whose trades have ended by its end."""
    rows = await transaction.fetch("model_performance.live", strategy, model_id, begin, end)

    def numbers(name: str) -> NDArray[np.float64]:
        return np.array([row[name] for row in rows], dtype=np.float64)

    return LiveRows(
        decided_at=np.array([row["decided_at"] for row in rows], dtype=np.int64),
        probability=numbers("probability"),
        won=numbers("won"),
        net_return=numbers("net_return"),
        weight=numbers("weight"),
        taken=np.array([row["taken"] for row in rows], dtype=np.bool_),
    )


async def read_scored_features(
    transaction: Transaction,
    strategy: str,
    model_id: int,
    begin: datetime,
    end: datetime,
    *,
    feature_set: int,
    most: int,
) -> NDArray[np.float32]:
    """Return the features (n, F) of the newest setups in (begin, end] that a model was asked about."""
    rows = await transaction.fetch(
        "model_performance.scored_features", strategy, model_id, begin, end, feature_set, most
    )
    return np.array([row["values"] for row in rows], dtype=np.float32)


async def keep_performance(transaction: Transaction, found: Performance) -> int:
    """Keep what a look at a champion said, and return its number."""
    return await transaction.fetch_value(
        "model_performance.keep", found.model_id, found.strategy, found.window_from, found.window_to, found.action,
        found.acted, *(orjson.dumps(each).decode() for each in (
            dict(found.figures), [dict(each) for each in found.criteria], [dict(each) for each in found.drift],
        )),
    )  # fmt: skip

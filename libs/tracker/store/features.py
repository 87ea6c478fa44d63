"""Features as the calculator writes and the scanners read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from tracker.domain.feature_set import FeatureSet
from tracker.domain.timeframe import Timeframe
from tracker.store.database import Transaction

FEATURES_CHANNEL = "tracker_features"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureTable:
    """Features of one symbol: `ts` int64 (n,) bar open in Unix seconds, `values` float32 (n, F)."""

    ts: NDArray[np.int64]
    values: NDArray[np.float32]


async def register_feature_set(transaction: Transaction, feature_set: FeatureSet) -> int:
    """Return the number of the set, registering it where it is new; the view of named columns shows it from now on."""
    await transaction.execute("features.insert_set", feature_set.version, list(feature_set.names), feature_set.hash)
    number: int = await transaction.fetch_value("features.set_id", feature_set.hash)
    await transaction.execute("features.name_set", number)
    return number


async def find_feature_set(transaction: Transaction, feature_set: FeatureSet) -> int | None:
    """Return the number of the set, None while no calculator has registered it."""
    return await transaction.fetch_value("features.set_id", feature_set.hash)


async def write_features(
    transaction: Transaction,
    feature_set: int,
    timeframe: Timeframe,
    symbol_ids: Sequence[int],
    stamps: Sequence[datetime],
    values: NDArray[np.float32],
) -> None:
    """Store the features of n bars: symbol ids and bar opens (n,), values (n, F); storing them again is harmless."""
    if len(symbol_ids) == 0:
        return
    await transaction.execute(
        "features.write",
        timeframe.value,
        feature_set,
        symbol_ids,
        stamps,
        values.ravel().tolist(),
        values.shape[1],
    )


async def read_features(
    transaction: Transaction, feature_set: int, timeframe: Timeframe, first: datetime, end: datetime
) -> dict[int, FeatureTable]:
    """Return all symbols' features of the bars that open in [first, end), by symbol id."""
    stamps: dict[int, list[float]] = {}
    values: dict[int, list[list[float]]] = {}
    for row in await transaction.fetch("features.read", feature_set, timeframe.value, first, end):
        stamps.setdefault(row["symbol_id"], []).append(row["ts"].timestamp())
        values.setdefault(row["symbol_id"], []).append(row["values"])
    return {
        symbol_id: FeatureTable(
            ts=np.array(stamps[symbol_id], dtype=np.int64), values=np.array(values[symbol_id], dtype=np.float32)
        )
        for symbol_id in stamps
    }


async def read_feature_watermarks(transaction: Transaction) -> dict[Timeframe, datetime]:
    """Return up to which close the features of each timeframe are complete."""
    return {
        Timeframe(row["timeframe"]): row["closed_through"] for row in await transaction.fetch("features.watermarks")
    }


async def advance_feature_watermark(transaction: Transaction, timeframe: Timeframe, moment: datetime) -> None:
    """Declare the features up to `moment` complete and hint at it."""
    await transaction.execute("features.advance_watermark", timeframe.value, moment)
    await transaction.notify(FEATURES_CHANNEL, f"{timeframe} {moment.isoformat()}")


async def count_features(transaction: Transaction) -> int:
    """Return how many feature rows are stored."""
    return await transaction.fetch_value("features.count")

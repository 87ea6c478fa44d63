"""Stored labels as samples, and whether their features are what was stored live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from tracker.domain.errors import InputError
from tracker.domain.feature_set import FeatureSet
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.quant.features import FEATURE_SET
from tracker.quant.learning.samples import Samples, settled
from tracker.store.database import Transaction
from tracker.store.features import find_feature_set
from tracker.store.labels import LabelTable, read_label_rows, read_stored_features

# The newest label rows that are compared with the stored features.
AS_OF_ROWS = 400
# Features are stored as float32, and computed alike in bulk and live.
AS_OF_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsOf:
    """Which labels: of a strategy by its label configuration, whose closes are of a timeframe."""

    strategy: str
    config_hash: str
    timeframe: Timeframe
    signals_only: bool


async def read_samples(
    transaction: Transaction, which: LabelsOf, begin: datetime, end: datetime, features: FeatureSet = FEATURE_SET
) -> Samples:
    """Return the trades that were decided in (begin, end] and would all have ended by now.

    Raises InputError where there are no labels with these features.
    """
    number = await find_feature_set(transaction, features)
    if number is None:
        raise InputError(f"there are no features yet of the set {features.hash}: `tracker labels build` makes them")
    table = await read_label_rows(
        transaction, which.strategy, which.config_hash, begin, end, feature_set=number, names=features.names,
        signals_only=which.signals_only,
    )
    return settled(samples_of(table))


def samples_of(table: LabelTable) -> Samples:
    """Return labels as samples, without those that say nothing that others do not."""
    rows = np.flatnonzero(table.weight > 0)
    return Samples(
        names=table.names,
        features=table.X if rows.size == len(table) else table.X[rows],
        decided_at=table.decided_at[rows],
        exit_at=table.exit_at[rows],
        symbol=table.symbol_id[rows].astype(np.int64),
        regime=table.regime[rows].astype(np.int64),
        won=table.y[rows].astype(np.float64),
        net_return=table.net_return[rows],
        weight=table.weight[rows],
    )


async def compare_as_of(transaction: Transaction, samples: Samples, which: LabelsOf) -> tuple[int, int]:
    """Return how many of the newest rows have features that were stored live, and how many of those are not the same.

    A feature that has seen what came after the decision is not what was stored at the decision.
    """
    number = await find_feature_set(transaction, FEATURE_SET)
    if number is None or samples.names != FEATURE_SET.names:
        return 0, 0
    rows = np.arange(max(0, len(samples) - AS_OF_ROWS), len(samples))
    compared = unlike = 0
    for symbol in np.unique(samples.symbol[rows]).tolist():
        mine = rows[samples.symbol[rows] == symbol]
        opens = samples.decided_at[mine] - which.timeframe.seconds
        stored = await read_stored_features(transaction, symbol, which.timeframe, number, opens)
        found = _unlike(samples, mine, opens, stored)
        compared += len(found)
        unlike += sum(found)
    return compared, unlike


def moment(seconds: int) -> datetime:
    """Return Unix seconds as a moment."""
    return EPOCH + timedelta(seconds=seconds)


def _unlike(
    samples: Samples, rows: np.ndarray, opens: np.ndarray, stored: Mapping[int, list[float]]
) -> list[bool]:
    found: list[bool] = []
    for row, ts in zip(rows.tolist(), opens.tolist(), strict=True):
        if ts in stored:
            live = np.array(stored[ts], dtype=np.float32)
            same = np.allclose(samples.features[row], live, AS_OF_TOLERANCE, AS_OF_TOLERANCE, equal_nan=True)
            found.append(not same)
    return found

"""What the rule reads: the features of every symbol at every close that is due, as one frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tracker.domain.timeframe import Timeframe
from tracker.quant.features import FEATURE_SET
from tracker.quant.frame import FeatureFrame, feature_frame
from tracker.store.bars import BarTable
from tracker.store.features import FeatureTable


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanInputs:
    """One symbol at n closes: `decided_at` int64 (n,), `close` (n,), `values` float32 (n, F) of the feature set."""

    symbol_id: int
    decided_at: NDArray[np.int64]
    close: NDArray[np.float64]
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """All symbols' rows in one frame; `keys` holds (symbol id, close in Unix seconds) of each row."""

    keys: list[tuple[int, int]]
    frame: FeatureFrame


def inputs_of(symbol_id: int, timeframe: Timeframe, features: FeatureTable, bars: BarTable) -> ScanInputs:
    """Return one symbol's inputs at the closes for which it has both a bar and features."""
    common, of_features, of_bars = np.intersect1d(features.ts, bars.ts, assume_unique=True, return_indices=True)
    return ScanInputs(
        symbol_id=symbol_id,
        decided_at=common + timeframe.seconds,
        close=bars.close[of_bars],
        values=features.values[of_features],
    )


def joined(inputs: Sequence[ScanInputs], names: Sequence[str]) -> Together:
    """Return all symbols' rows of the named features as one frame, symbol after symbol."""
    places = [FEATURE_SET.names.index(name) for name in names]
    return Together(
        keys=[(each.symbol_id, seconds) for each in inputs for seconds in each.decided_at.tolist()],
        frame=feature_frame(
            close=np.concatenate([each.close for each in inputs]),
            decided_at=np.concatenate([each.decided_at for each in inputs]),
            values=np.concatenate([each.values[:, places] for each in inputs]),
            names=names,
        ),
    )

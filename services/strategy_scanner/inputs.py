"""What the rule reads: the features of every symbol at every close that is due, as one frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tracker.domain.timeframe import Timeframe
from tracker.quant.features import FEATURE_SET
from tracker.quant.frame import FeatureFrame, closed_context, feature_frame
from tracker.store.bars import BarTable
from tracker.store.features import FeatureTable

NO_HOURS = FeatureTable(ts=np.empty(0, dtype=np.int64), values=np.empty((0, len(FEATURE_SET.names))))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanInputs:
    """One symbol at n closes: `decided_at` int64 (n,), `close` (n,), own and hourly features (n, F)."""

    symbol_id: int
    decided_at: NDArray[np.int64]
    close: NDArray[np.float64]
    base: NDArray[np.float64]
    context: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """All symbols' rows in one frame; `keys` holds (symbol id, close in Unix seconds) of each row."""

    keys: list[tuple[int, int]]
    frame: FeatureFrame


def inputs_of(
    symbol_id: int, timeframe: Timeframe, base: FeatureTable, context: FeatureTable | None, bars: BarTable
) -> ScanInputs:
    """Return one symbol's inputs at the closes for which it has both a bar and features."""
    common, of_base, of_bars = np.intersect1d(base.ts, bars.ts, assume_unique=True, return_indices=True)
    decided_at = common + timeframe.seconds
    hours = context or NO_HOURS
    return ScanInputs(
        symbol_id=symbol_id,
        decided_at=decided_at,
        close=bars.close[of_bars],
        base=base.values[of_base],
        context=closed_context(decided_at=decided_at, context_ts=hours.ts, context=hours.values),
    )


def joined(inputs: Sequence[ScanInputs]) -> Together:
    """Return all symbols' rows as one frame, symbol after symbol."""
    return Together(
        keys=[(each.symbol_id, seconds) for each in inputs for seconds in each.decided_at.tolist()],
        frame=feature_frame(
            close=np.concatenate([each.close for each in inputs]),
            decided_at=np.concatenate([each.decided_at for each in inputs]),
            base=np.concatenate([each.base for each in inputs]),
            context=np.concatenate([each.context for each in inputs]),
        ),
    )

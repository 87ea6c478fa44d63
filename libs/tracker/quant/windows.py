"""Windows that start where the calendar says, so that a feature has one value however it is computed.

Recursive indicators remember where their series began. A window that slides with the latest bar would give
the same bar another value in a live tick, in a backfill and in a nightly check; a window anchored to the
clock does not.
"""

from __future__ import annotations

import numpy as np

from tracker.domain.errors import InputError
from tracker.quant.bars import BarArrays, Floats, Ints
from tracker.quant.features import FEATURE_SPECS
from tracker.quant.features.matrix import feature_matrix

BLOCK_BARS = 1000


def anchor_seconds(ts: int, timeframe_seconds: int) -> int:
    """Return the Unix second at which the window of the bar opening at `ts` starts.

    Time is cut into blocks of 1000 bars from the epoch on; the window starts with the block before the bar's
    own, so it holds 1000 to 2000 bars of time. Never below 0.
    """
    span = BLOCK_BARS * timeframe_seconds
    return max(ts // span - 1, 0) * span


def anchored_features(bars: BarArrays, timeframe_seconds: int, first_ts: int) -> tuple[Ints, Floats]:
    """Return (ts, matrix) of the bars with ts >= first_ts: int64 (m,), float64 (m, F).

    `bars` must reach back to `anchor_seconds(first_ts)`, or to the symbol's first bar where that is later.
    Each row is computed from its own anchored window, so it does not depend on what else is in the batch, bit
    for bit. Raises InputError as feature_matrix does, and where a `ts` is no multiple of the timeframe.
    """
    _require_aligned(bars.ts, timeframe_seconds)
    span = BLOCK_BARS * timeframe_seconds
    begin = int(np.searchsorted(bars.ts, first_ts))
    matrix = np.empty((len(bars) - begin, len(FEATURE_SPECS)))
    row = begin
    while row < len(bars):
        start_ts = anchor_seconds(int(bars.ts[row]), timeframe_seconds)
        next_block = (int(bars.ts[row]) // span + 1) * span
        start, stop = np.searchsorted(bars.ts, (start_ts, next_block)).tolist()
        matrix[row - begin : stop - begin] = feature_matrix(bars.slice(start, stop))[row - start :]
        row = stop
    return bars.ts[begin:], matrix


def _require_aligned(ts: Ints, timeframe_seconds: int) -> None:
    odd = np.flatnonzero(ts % timeframe_seconds)
    if odd.size:
        index = int(odd[0])
        raise InputError(f"ts[{index}] is {ts[index]}, not the start of a bar of {timeframe_seconds} seconds")

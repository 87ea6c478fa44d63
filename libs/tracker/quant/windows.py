"""Windows that start where the calendar says, so that a feature has one value however it is computed.

Recursive indicators remember where their series began. A window that slides with the latest bar would give
the same bar another value in a live tick, in a backfill and in a nightly check; a window anchored to the
clock does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from tracker.domain.errors import InputError
from tracker.quant.bars import BarArrays, Ints, Singles, require_usable
from tracker.quant.features import OWN_NAMES
from tracker.quant.features.matrix import window_features
from tracker.quant.features.source import Window

Item = TypeVar("Item")

BLOCK_BARS = 2000
LEAD_BARS = 1000
# Rows computed together: enough that a call of NumPy costs little beside its work, few enough for the cache.
ROWS_TOGETHER = 8_000


def anchor_seconds(ts: int, timeframe_seconds: int) -> int:
    """Return the Unix second at which the window of the bar opening at `ts` starts.

    Time is cut into blocks of 2000 bars from the epoch on; the window starts 1000 bars before the bar's own block, so
    it holds 1000 to 3000 bars of time. Never below 0.
    """
    span = BLOCK_BARS * timeframe_seconds
    return max(ts // span * span - LEAD_BARS * timeframe_seconds, 0)


def windows_of(bars: BarArrays, timeframe_seconds: int, first_ts: int) -> list[Window]:
    """Return the windows of the bars with ts >= first_ts; `bars` as for anchored_features."""
    _require_aligned(bars.ts, timeframe_seconds)
    span = BLOCK_BARS * timeframe_seconds
    found: list[Window] = []
    row = int(np.searchsorted(bars.ts, first_ts))
    while row < len(bars):
        ts = int(bars.ts[row])
        block_ts = ts // span * span
        times = (anchor_seconds(ts, timeframe_seconds), block_ts, block_ts + span)
        anchor, block, stop = np.searchsorted(bars.ts, times).tolist()
        found.append(Window(bars=bars, anchor=anchor, block=block, begin=row, stop=stop))
        row = stop
    return found


def anchored_features(
    bars: BarArrays, timeframe_seconds: int, first_ts: int, names: Sequence[str] = OWN_NAMES
) -> tuple[Ints, Singles]:
    """Return (ts, matrix) of the bars with ts >= first_ts: int64 (m,), float32 (m, F) of the named features.

    `bars` must reach back to `anchor_seconds(first_ts)`, or to the symbol's first bar where that is later.
    Each row is computed from its own anchored window, so it does not depend on what else is in the batch, bit
    for bit. Raises InputError as feature_matrix does, and where a `ts` is no multiple of the timeframe.
    """
    return all_anchored_features({0: bars}, timeframe_seconds, first_ts, names)[0]


def all_anchored_features(
    series: Mapping[int, BarArrays], timeframe_seconds: int, first_ts: int, names: Sequence[str] = OWN_NAMES
) -> dict[int, tuple[Ints, Singles]]:
    """Return anchored_features of each series."""
    found: dict[int, tuple[Ints, Singles]] = {}
    small: dict[int, list[Window]] = {}
    for key, bars in series.items():
        require_usable(bars)
        windows = windows_of(bars, timeframe_seconds, first_ts)
        begin = windows[0].begin if windows else len(bars)
        found[key] = bars.ts[begin:], np.empty((0, len(names)), dtype=np.float32)
        if len(bars) - begin >= ROWS_TOGETHER:
            found[key] = found[key][0], _long(windows, names, len(bars) - begin)
        elif windows:
            small[key] = windows
    for batch in _batches(small, lambda key: len(found[key][0])):
        matrix = np.empty((len(names), sum(len(found[key][0]) for key in batch)), dtype=np.float32)
        window_features([small[key] for key in batch], names, matrix)
        row = 0
        for key in batch:
            ts = found[key][0]
            found[key] = ts, matrix[:, row : row + len(ts)].T
            row += len(ts)
    return found


def _long(windows: Sequence[Window], names: Sequence[str], rows: int) -> Singles:
    matrix = np.empty((len(names), rows), dtype=np.float32)
    first = windows[0].begin
    for batch in _batches(windows, lambda each: each.stop - each.begin):
        begin, stop = batch[0].begin - first, batch[-1].stop - first
        window_features([batch], names, matrix[:, begin:stop])
    return matrix.T


def _batches(items: Iterable[Item], rows: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Yield the items in runs of about ROWS_TOGETHER rows."""
    batch: list[Item] = []
    total = 0
    for item in items:
        batch.append(item)
        total += rows(item)
        if total >= ROWS_TOGETHER:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch


def _require_aligned(ts: Ints, timeframe_seconds: int) -> None:
    if ts.size == 0 or (int(ts[0]) % timeframe_seconds == 0 and bool((np.diff(ts) == timeframe_seconds).all())):
        return
    odd = np.flatnonzero(ts % timeframe_seconds)
    if odd.size:
        index = int(odd[0])
        raise InputError(f"ts[{index}] is {ts[index]}, not the start of a bar of {timeframe_seconds} seconds")

"""Short bars summed up to longer ones, by the rule that the database's roll-ups follow."""

from __future__ import annotations

import numpy as np

from tracker.quant.bars import BarArrays


def roll_up(bars: BarArrays, seconds: int, complete_through: int) -> BarArrays:
    """Return the bars of `seconds` whose bucket ends by `complete_through` (Unix seconds); others are unfinished.

    Buckets are aligned to the Unix epoch: the first open, highest high, lowest low, last close, summed volume.
    """
    if len(bars) == 0:
        return bars
    bucket = bars.ts // seconds
    first = np.flatnonzero(np.concatenate(([True], bucket[1:] != bucket[:-1])))
    last = np.concatenate((first[1:], [len(bars)])) - 1
    rolled = BarArrays(
        ts=bucket[first] * seconds,
        open=bars.open[first],
        high=np.maximum.reduceat(bars.high, first),
        low=np.minimum.reduceat(bars.low, first),
        close=bars.close[last],
        volume=np.add.reduceat(bars.volume, first),
    )
    return rolled.slice(0, int(np.searchsorted(rolled.ts, complete_through - seconds, side="right")))

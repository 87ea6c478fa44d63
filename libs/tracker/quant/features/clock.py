"""Features of the time at which a decision is taken."""

from __future__ import annotations

import math

import numpy as np

from tracker.quant.bars import Ints, Singles

_MINUTES = 1440
_DAY_SECONDS = 86_400
# The first day of the Unix epoch was a Thursday.
_EPOCH_WEEKDAY = 3


# Tables, because a vectorised sine may round differently from one taken alone.
_TABLES = {
    "hour_sin": np.array([math.sin(2.0 * math.pi * each / _MINUTES) for each in range(_MINUTES)], dtype=np.float32),
    "hour_cos": np.array([math.cos(2.0 * math.pi * each / _MINUTES) for each in range(_MINUTES)], dtype=np.float32),
    "weekday_sin": np.array([math.sin(2.0 * math.pi * each / 7) for each in range(7)], dtype=np.float32),
    "weekday_cos": np.array([math.cos(2.0 * math.pi * each / 7) for each in range(7)], dtype=np.float32),
}
CLOCK_NAMES = tuple(_TABLES)


def clock_column(name: str, decided_at: Ints) -> Singles:
    """Return a feature of the closes (n,), Unix seconds."""
    if name.startswith("hour"):
        return _TABLES[name][decided_at % _DAY_SECONDS // 60]
    return _TABLES[name][(decided_at // _DAY_SECONDS + _EPOCH_WEEKDAY) % 7]

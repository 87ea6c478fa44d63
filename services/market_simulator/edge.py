"""A planted edge: prices that rise and fall with the hour of the day, so that the hour says what comes."""

from __future__ import annotations

import numpy as np

from services.market_simulator.bars import Floats
from services.market_simulator.minutes import MINUTES


def edge_levels(strength: float, cycles: int = 1) -> Floats:
    """Return what is added to a day's log price at its 1,441 minute ends.

    `strength` in the middle of each of the day's `cycles`, nothing at its ends: a minute's return follows the sine of
    its share of the cycle, and a day's returns sum to nothing.
    """
    turn = 2 * np.pi * cycles * np.arange(MINUTES + 1) / MINUTES
    levels = strength / 2 * (1 - np.cos(turn))
    # The cosine of a whole turn need not be one to the last bit.
    levels[-1] = 0.0
    return levels

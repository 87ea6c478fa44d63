"""A planted edge: prices that rise until noon and fall until midnight, so that the hour says what comes."""

from __future__ import annotations

import numpy as np

from services.market_simulator.bars import Floats
from services.market_simulator.minutes import MINUTES


def edge_levels(strength: float) -> Floats:
    """Return what is added to a day's log price at its 1,441 minute ends.

    `strength` at noon, nothing at either midnight: a minute's return follows the sine of its share of the UTC day, and
    a day's returns sum to nothing.
    """
    turn = 2 * np.pi * np.arange(MINUTES + 1) / MINUTES
    levels = strength / 2 * (1 - np.cos(turn))
    # The cosine of a whole turn need not be one to the last bit.
    levels[-1] = 0.0
    return levels

"""What luck alone would have done."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tracker.domain.errors import InputError
from tracker.quant.series import require_finite, require_positive, series_of

__all__ = ["break_even_probability", "random_entry_p_value"]


def random_entry_p_value(observed: float, simulated: ArrayLike) -> float:
    """Return how often random entries did at least as well: same exits, same number of trades.

    Formula: (1 + count(simulated >= observed)) / (1 + n); the observed result is one of the draws, so p is never 0.
    Unit: a probability; `observed` and `simulated` are the same figure, larger is better.
    Edges: 1 without simulations.
    Source: Davison and Hinkley (1997), Bootstrap Methods and their Application, 4.2.
    Raises InputError where a value is not finite.
    """
    require_finite(observed=observed)
    results = series_of(simulated, "simulated")
    return (1 + int(np.count_nonzero(results >= observed))) / (1 + results.size)


def break_even_probability(win: float, loss: float, cost: float) -> float:
    """Return the share of wins at which a bet with these stakes makes nothing.

    Formula: p = (loss + cost) / (win + loss), from p * (win - cost) = (1 - p) * (loss + cost).
    Unit: a probability; win, loss and cost of a round trip are positive fractions of the position.
    Edges: above 1 where the cost is larger than the win: no share of wins is enough.
    Raises InputError where a value is not finite, `win` or `loss` is not above 0, or `cost` is below 0.
    """
    require_positive(win=win, loss=loss)
    require_finite(cost=cost)
    if cost < 0:
        raise InputError(f"cost is {cost}, below 0")
    return (loss + cost) / (win + loss)

"""Lower bounds of means whose rows fall on days that are alike: whole blocks of days are drawn again and again."""

from __future__ import annotations

import numpy as np

from tracker.domain.errors import InputError
from tracker.quant.bars import Floats, Ints


def lower_bound(
    values: Floats, weight: Floats, days: Ints, *, block_days: int, draws: int, confidence: float, seed: int
) -> float:
    """Return the one-sided lower bound of the weighted mean of values (n,).

    Formula: the (1 - confidence) quantile of the means of `draws` resamples of blocks of `block_days` days, begun
    anywhere and going around at the end. Days without rows are days of the window all the same.
    Source: Politis and Romano (1992), the circular block bootstrap.
    Edges: NaN where fewer than two blocks have rows. Raises InputError where lengths differ.
    """
    if not values.size == weight.size == days.size:
        raise InputError(f"{values.size} values, {weight.size} weights and {days.size} days")
    if not values.size:
        return float("nan")
    first = int(days.min())
    span = int(days.max()) - first + 1
    if span < 2 * block_days:
        return float("nan")
    sums = np.bincount(days - first, values * weight, span)
    mass = np.bincount(days - first, weight, span)
    blocks = -(-span // block_days)
    starts = np.random.default_rng([seed, 74]).integers(0, span, (draws, blocks))
    drawn = (starts[:, :, None] + np.arange(block_days)).reshape(draws, -1)[:, :span] % span
    total, whole = sums[drawn].sum(axis=1), mass[drawn].sum(axis=1)
    there = whole > 0
    return float(np.quantile(total[there] / whole[there], 1.0 - confidence))

"""All features of all bars in one array."""

from __future__ import annotations

import numpy as np

from tracker.quant.bars import BarArrays, Floats
from tracker.quant.features import momentum, trend, volatility, volume
from tracker.quant.features.catalogue import FEATURE_SPECS
from tracker.quant.features.scaled import scaled


def feature_matrix(bars: BarArrays) -> Floats:
    """Return the features of every bar: float64 (n, F), columns in the order of FEATURE_SET.names.

    Each value uses bars up to its own only, and the matrix of a prefix equals the prefix of the matrix bit
    for bit. A feature is NaN in its first `warmup_bars` rows and finite after. Raises InputError on a value
    that is not finite, on a price of 0 or less and on negative volume. Formulas: FEATURE_SPECS.
    """
    n = len(bars)
    matrix = np.empty((n, len(FEATURE_SPECS)))
    if n == 0:
        return matrix
    source = scaled(bars)
    columns = {
        **trend.trend_columns(source),
        **momentum.momentum_columns(source),
        **volatility.volatility_columns(source),
        **volume.volume_columns(source),
    }
    for index, spec in enumerate(FEATURE_SPECS):
        matrix[:, index] = columns[spec.name]
        matrix[: spec.warmup_bars, index] = np.nan
    return matrix

"""Features of a symbol's own bars in one array."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache

import numpy as np

from tracker.quant.bars import BarArrays, Floats, Singles, require_usable
from tracker.quant.features import momentum, trend, volatility, volume
from tracker.quant.features.catalogue import OWN_NAMES, OWN_SPECS
from tracker.quant.features.source import Source, Window

COLUMNS: dict[str, Callable[[Source], Floats]] = {
    **trend.COLUMNS,
    **momentum.COLUMNS,
    **volatility.COLUMNS,
    **volume.COLUMNS,
}
_WARMUPS = {spec.name: spec.warmup_bars for spec in OWN_SPECS}


def feature_matrix(bars: BarArrays, names: Sequence[str] = OWN_NAMES) -> Singles:
    """Return the named features of every bar: float32 (n, F), as the database stores them.

    Each value uses bars up to its own only, and the matrix of a prefix equals the prefix of the matrix bit
    for bit. A feature is NaN in its first `warmup_bars` rows and finite after. Raises InputError on a value
    that is not finite, on a price of 0 or less and on negative volume. Formulas: OWN_SPECS.
    """
    n = len(bars)
    if n == 0:
        return np.empty((0, len(names)), dtype=np.float32)
    require_usable(bars)
    columns = np.empty((len(names), n), dtype=np.float32)
    window_features([[Window(bars=bars, anchor=0, block=0, begin=0, stop=n)]], names, columns)
    return columns.T


def window_features(symbols: Sequence[Sequence[Window]], names: Sequence[str], into: Singles) -> None:
    """Put the named features of the wanted rows of each symbol's windows, one after another, into an (F, m) array.

    The bars must be usable; otherwise as feature_matrix.
    """
    source = Source(symbols, _uses(tuple(names)))
    ages = source.ages()
    youngest = int(ages.min())
    for row, name in zip(into, names, strict=True):
        row[:] = COLUMNS[name](source)
        if youngest < _WARMUPS[name]:
            row[ages < _WARMUPS[name]] = np.nan


@lru_cache(maxsize=64)
def _uses(names: tuple[str, ...]) -> Mapping[Hashable, int]:
    """Return how often the features ask for each indicator; which they ask for does not depend on the bars."""
    one = np.ones(1)
    bars = BarArrays(ts=np.zeros(1, dtype=np.int64), open=one, high=one, low=one, close=one, volume=one)
    often: dict[Hashable, int] = {}
    # What is kept from one use to the next is asked for less often: counted again until nothing changes.
    while True:
        source = Source([[Window(bars=bars, anchor=0, block=0, begin=0, stop=1)]], often)
        for name in names:
            COLUMNS[name](source)
        if source.asked == often:
            return often
        often = source.asked

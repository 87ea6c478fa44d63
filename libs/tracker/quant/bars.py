"""Bars of one symbol as columns, the shape in which the rules read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tracker.domain.errors import InputError

Floats: TypeAlias = NDArray[np.float64]
Singles: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Objects: TypeAlias = NDArray[np.object_]

PRICE_FIELDS = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True, kw_only=True)
class BarArrays:
    """Columns of equal length n, oldest bar first.

    `ts` is int64, Unix seconds of the bar's OPEN, strictly ascending; prices are float64 in quote currency,
    `volume` float64 in base currency. Raises InputError where lengths differ or `ts` does not ascend.
    The arrays are shared, not copied: nobody writes into them.
    """

    ts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __post_init__(self) -> None:
        """Refuse columns that cannot be one series."""
        n = self.ts.shape[0]
        for name in (*PRICE_FIELDS, "volume"):
            length = getattr(self, name).shape[0]
            if length != n:
                raise InputError(f"{name} has {length} values where ts has {n}")
        if n > 1 and not (self.ts[1:] > self.ts[:-1]).all():
            descents = np.flatnonzero(self.ts[1:] <= self.ts[:-1])
            index = int(descents[0]) + 1
            raise InputError(f"ts does not ascend at index {index}: {self.ts[index - 1]}, {self.ts[index]}")

    def __len__(self) -> int:
        """Return the number of bars."""
        return int(self.ts.shape[0])

    def slice(self, start: int, stop: int) -> BarArrays:
        """Return bars start..stop-1 as views."""
        rows = slice(start, stop)
        return BarArrays(
            ts=self.ts[rows],
            open=self.open[rows],
            high=self.high[rows],
            low=self.low[rows],
            close=self.close[rows],
            volume=self.volume[rows],
        )


def require_usable(bars: BarArrays) -> None:
    """Raise InputError, naming field and index, where a value cannot enter an indicator.

    Prices must be finite and above 0, volume finite and at least 0: one NaN turns TA-Lib's RSI into 0.0 for
    ever after, so gaps are repaired or rejected before this point.
    """
    for name in PRICE_FIELDS:
        _require(getattr(bars, name), name, above_zero=True)
    _require(bars.volume, "volume", above_zero=False)


def _require(values: Floats, name: str, *, above_zero: bool) -> None:
    if values.size == 0:
        return
    # NaN is neither above nor below anything, so it fails the first comparison.
    lowest, highest = float(values.min()), float(values.max())
    if highest < np.inf and (lowest > 0 if above_zero else lowest >= 0):
        return
    good = np.isfinite(values) & ((values > 0) if above_zero else (values >= 0))
    index = int(np.argmin(good))
    bound = "above 0" if above_zero else "of at least 0"
    raise InputError(f"{name}[{index}] is {float(values[index])!r}, it must be a finite number {bound}")

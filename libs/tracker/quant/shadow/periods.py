"""Returns of all accounts in a period as bytes, by the variations' numbers."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tracker.domain.errors import SchemaError
from tracker.quant.bars import Ints
from tracker.quant.shadow.engine import Period

_LAYOUT = np.dtype([("returns", "<f4"), ("trades", "<u2"), ("trade_returns", "<f4")])


def packed_period(period: Period, numbers: Ints) -> tuple[int, bytes]:
    """Return how many numbers there are, and the bytes; a number without an account has NaN for its return."""
    size = int(numbers.max()) + 1
    table = np.zeros(size, _LAYOUT)
    table["returns"] = np.nan
    table["returns"][numbers] = period.returns
    table["trades"][numbers] = period.trades
    table["trade_returns"][numbers] = period.trade_returns
    parts = [table[name].tobytes() for name in _LAYOUT.names or ()]
    return size, zlib.compress(b"".join(parts), level=1)


def unpacked_periods(rows: Sequence[tuple[int, bytes]], numbers: Ints) -> tuple[Any, Any, Any]:
    """Return returns, trades and sums of trade returns (P, V) of those numbers, NaN where there was no account yet.

    float32, uint16 and float32, as they are stored.

    Raises SchemaError where a row is not as long as it says.
    """
    shape = len(rows), len(numbers)
    returns = np.full(shape, np.nan, np.float32)
    trades, sums = np.zeros(shape, np.uint16), np.zeros(shape, np.float32)
    for place, (size, data) in enumerate(rows):
        plain = zlib.decompress(data)
        if len(plain) != size * _LAYOUT.itemsize:
            raise SchemaError(f"a row of shadow_returns holds {len(plain)} bytes for {size} variations")
        there = np.flatnonzero(numbers < size)
        chosen = numbers[there]
        returns[place, there] = np.frombuffer(plain, "<f4", size)[chosen]
        trades[place, there] = np.frombuffer(plain, "<u2", size, 4 * size)[chosen]
        sums[place, there] = np.frombuffer(plain, "<f4", size, 6 * size)[chosen]
    return returns, trades, sums

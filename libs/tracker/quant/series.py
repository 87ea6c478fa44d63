"""Numbers that a figure may be computed from: finite, of the right shape, or refused by name and index."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from tracker.domain.errors import InputError
from tracker.quant.bars import Floats


def series_of(values: ArrayLike, name: str) -> Floats:
    """Return the values as float64 (n,), n >= 0; raises InputError naming the first one that is not finite."""
    series = _numbers(values, name, dimensions=1)
    bad = np.flatnonzero(~np.isfinite(series))
    if bad.size:
        index = int(bad[0])
        raise InputError(f"{name}[{index}] is {series[index]}, not a finite number")
    return series


def table_of(values: ArrayLike, name: str) -> Floats:
    """Return the values as float64 (rows, columns), NaN and infinities included; raises InputError as series_of."""
    return _numbers(values, name, dimensions=2)


def finite_table_of(values: ArrayLike, name: str) -> Floats:
    """Return the values as float64 (rows, columns); raises InputError naming the first one that is not finite."""
    table = table_of(values, name)
    # The sum is finite only if all are, or if finite numbers overflow: a cheap first look at a large table.
    if not math.isfinite(float(table.sum())):
        bad = np.argwhere(~np.isfinite(table))
        if bad.size:
            row, column = bad[0].tolist()
            raise InputError(f"{name}[{row}, {column}] is {table[row, column]}, not a finite number")
    return table


def require_same_length(first: Floats, name: str, second: Floats, second_name: str) -> None:
    """Raise InputError unless both have the same number of values."""
    if first.shape[0] != second.shape[0]:
        raise InputError(f"{name} has {first.shape[0]} values where {second_name} has {second.shape[0]}")


def require_above_zero(series: Floats, name: str) -> None:
    """Raise InputError naming the first value that is not above 0."""
    bad = np.flatnonzero(series <= 0)
    if bad.size:
        raise InputError(f"{name}[{int(bad[0])}] is {series[bad[0]]}, not above 0")


def require_not_negative(series: Floats, name: str) -> None:
    """Raise InputError naming the first value below 0."""
    bad = np.flatnonzero(series < 0)
    if bad.size:
        raise InputError(f"{name}[{int(bad[0])}] is {series[bad[0]]}, below 0")


def require_finite(**values: float) -> None:
    """Raise InputError naming the first value that is not finite."""
    for name, value in values.items():
        if not math.isfinite(value):
            raise InputError(f"{name} is {value}, not a finite number")


def require_positive(**values: float) -> None:
    """Raise InputError naming the first value that is not a finite number above 0."""
    require_finite(**values)
    for name, value in values.items():
        if value <= 0:
            raise InputError(f"{name} is {value}, not above 0")


def _numbers(values: ArrayLike, name: str, *, dimensions: int) -> Floats:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} holds something that is not a number, or rows of unequal length") from None
    if numbers.ndim != dimensions:
        raise InputError(f"{name} has {numbers.ndim} dimensions, not {dimensions}")
    return numbers

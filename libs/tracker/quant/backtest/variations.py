"""Which parameters a sweep tries: a grid, or random draws inside their bounds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, get_args, get_type_hints

import numpy as np

from tracker.domain.errors import InputError

Number = int | float
# Where a parameter has no bound of its own, draws stay within these shares of its present value.
SPREAD = (0.5, 1.5)
DECIMALS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The values a parameter may take, both ends included; `whole` for integers."""

    low: float
    high: float
    whole: bool


def grid_of(text: str) -> dict[str, tuple[Number, ...]]:
    """Return the values by name in a text such as 'a=1|2|3,b=0.5:0.8:0.1' (low:high:step, the high end included).

    Raises InputError naming the part that cannot be read.
    """
    grid: dict[str, tuple[Number, ...]] = {}
    for part in (each.strip() for each in text.split(",") if each.strip()):
        name, equals, values = (each.strip() for each in part.partition("="))
        if not (name and equals and values):
            raise InputError(f"grid: {part!r} is not NAME=VALUES, such as min_strength=0.5|0.6 or stop_atr=1:3:0.5")
        if name in grid:
            raise InputError(f"grid: {name!r} stands there twice")
        grid[name] = _steps(part, values) if ":" in values else tuple(_number(part, each) for each in values.split("|"))
    if not grid:
        raise InputError("grid: names no parameter, such as min_strength=0.5|0.6")
    return grid


def grid_points(grid: Mapping[str, Sequence[Number]]) -> list[dict[str, Number]]:
    """Return every combination, the last parameter varying fastest."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def ranges_of(params: Any, names: Sequence[str] = ()) -> dict[str, Range]:
    """Return what the numeric parameters (all, or the named ones) may be: their bounds, else around their values.

    Raises InputError naming a parameter that there is not or that is no number.
    """
    hints = get_type_hints(params.__class__, include_extras=True)
    known = {each.name: getattr(params, each.name) for each in fields(params)}
    for name in names:
        if isinstance(known.get(name), bool) or not isinstance(known.get(name), int | float):
            raise InputError(f"vary: {name!r} is not a number among the parameters {', '.join(sorted(known))}")
    return {
        name: _range(hints[name], value)
        for name, value in known.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and (not names or name in names)
    }


def draw(ranges: Mapping[str, Range], rng: np.random.Generator) -> dict[str, Number]:
    """Return one value a range, evenly drawn."""
    drawn: dict[str, Number] = {}
    for name, each in ranges.items():
        if each.whole:
            drawn[name] = int(rng.integers(math.ceil(each.low), math.floor(each.high) + 1))
        else:
            drawn[name] = round(float(rng.uniform(each.low, each.high)), DECIMALS)
    return drawn


def _range(hint: Any, value: float) -> Range:
    """Return the spread around the present value, cut at the bounds that the parameter declares."""
    low, high = sorted((value * SPREAD[0], value * SPREAD[1]))
    if value == 0:
        low, high = -1.0, 1.0
    whole = isinstance(value, int)
    for bound in get_args(hint)[1:]:
        least = getattr(bound, "ge", getattr(bound, "gt", None))
        most = getattr(bound, "le", getattr(bound, "lt", None))
        low = low if least is None else max(low, float(least))
        high = high if most is None else min(high, float(most))
    return Range(low=low, high=max(low, high), whole=whole)


def _steps(part: str, text: str) -> tuple[Number, ...]:
    pieces = text.split(":")
    if len(pieces) != 3:
        raise InputError(f"grid: {part!r} is not NAME=LOW:HIGH:STEP")
    low, high, step = (_number(part, each) for each in pieces)
    if step <= 0 or high < low:
        raise InputError(f"grid: {part!r} needs a STEP above 0 and HIGH not below LOW")
    count = math.floor((high - low) / step + 1e-9) + 1
    whole = all(isinstance(each, int) for each in (low, high, step))
    values = [low + number * step for number in range(count)]
    return tuple(int(each) for each in values) if whole else tuple(round(each, 9) for each in values)


def _number(part: str, text: str) -> Number:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"grid: {part!r}: {text.strip()!r} is not a number") from None
    if not math.isfinite(value):
        raise InputError(f"grid: {part!r}: {text.strip()!r} is not a finite number")
    return int(value) if text.strip().lstrip("+-").isdigit() else value

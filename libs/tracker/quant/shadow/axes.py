"""Which values a parameter takes in a set of variations: listed ones, steps between two ends, or draws."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, MinLen

from tracker.quant.backtest.variations import DECIMALS, Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """From `low` to `high`, both included: `steps` values, or any value where it is drawn."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "allow_inf_nan": False}

    low: Number
    high: Number
    steps: Annotated[int, Ge(2)] | None = None

    def __post_init__(self) -> None:
        """Refuse ends that are the wrong way round."""
        if self.high <= self.low:
            raise ValueError(f"high {self.high} must be above low {self.low}")


Axis = Annotated[tuple[Number, ...], MinLen(1)] | Between


def listed(axis: Axis, *, whole: bool) -> tuple[Number, ...]:
    """Return the values of an axis of a grid; `whole` for integers. Raises ValueError where it has only ends."""
    if not isinstance(axis, Between):
        return axis
    if axis.steps is None:
        raise ValueError("a grid needs steps, or give the set a count to draw")
    values = np.linspace(axis.low, axis.high, axis.steps).tolist()
    if whole:
        return tuple(dict.fromkeys(round(each) for each in values))
    return tuple(round(each, DECIMALS) for each in values)


def drawn(axis: Axis, rng: np.random.Generator, *, whole: bool) -> Number:
    """Return a value of an axis at random: any one listed, any step, or any number between the ends."""
    if isinstance(axis, Between) and axis.steps is None:
        if whole:
            return int(rng.integers(round(axis.low), round(axis.high) + 1))
        return round(float(rng.uniform(axis.low, axis.high)), DECIMALS)
    values = listed(axis, whole=whole)
    return values[int(rng.integers(len(values)))]


def ends_of(axis: Axis) -> tuple[Number, Number]:
    """Return the lowest and the highest value of an axis."""
    return (axis.low, axis.high) if isinstance(axis, Between) else (min(axis), max(axis))


def grid(axes: Mapping[str, Axis], whole: Mapping[str, bool]) -> Iterator[dict[str, Number]]:
    """Yield every combination, the last axis varying fastest; raises ValueError as `listed` does."""
    values = [listed(axis, whole=whole[name]) for name, axis in axes.items()]
    for each in itertools.product(*values):
        yield dict(zip(axes, each, strict=True))


def draws(axes: Mapping[str, Axis], whole: Mapping[str, bool], rng: np.random.Generator) -> Iterator[dict[str, Number]]:
    """Yield draws of all axes without an end."""
    while True:
        yield {name: drawn(axis, rng, whole=whole[name]) for name, axis in axes.items()}

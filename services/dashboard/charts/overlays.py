"""Stored features as lines over the price: what the strategies saw, turned back into prices.

The features are distances and places of a close (docs/features.md), so that together with it they give the line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from services.dashboard.elements.chart import PALETTE, QUIET

_, ORANGE, GREEN, PURPLE, SKY, *_ = PALETTE
OLIVE = "#a99a00"
Floats: TypeAlias = NDArray[np.float64]
Read: TypeAlias = Mapping[str, Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line over n bars, NaN where it is not known; `dashed` for the edges around another line."""

    name: str
    values: Floats
    colour: str
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """A choice for the price pane: the features it needs, and the lines that they and the closes make."""

    title: str
    features: tuple[str, ...]
    lines: Callable[[Floats, Read], Sequence[Line]]


def overlay_lines(chosen: Sequence[str], close: Floats, features: Read) -> list[Line]:
    """Return the lines of the chosen overlays over closes (n,); `features` are the columns (n,) that they need."""
    return [line for name in chosen for line in OVERLAYS[name].lines(close, features)]


def needed_features(chosen: Sequence[str]) -> tuple[str, ...]:
    """Return the features that the chosen overlays are made of, each once."""
    return tuple(dict.fromkeys(each for name in chosen for each in OVERLAYS[name].features))


def _average(bars: int, colour: str) -> Overlay:
    name = f"ema_{bars}_distance"

    def lines(close: Floats, features: Read) -> Sequence[Line]:
        return [Line(name=f"EMA {bars}", values=close / (1.0 + features[name] / 100.0), colour=colour)]

    return Overlay(title=f"EMA {bars}", features=(name,), lines=lines)


def _bollinger(close: Floats, features: Read) -> Sequence[Line]:
    width, place = features["bb_20_width"] / 100.0, features["bb_20_percent_b"]
    middle = close / (1.0 + width * (place - 0.5))
    half = middle * width / 2.0
    return _banded("Bollinger 20", middle, half, QUIET)


def _regression(close: Floats, features: Read) -> Sequence[Line]:
    half = close * features["linreg_48_half_width_pct"] / 100.0
    lower = close - features["linreg_48_position"] * 2.0 * half
    return _banded("Channel 48", lower + half, half, ORANGE)


def _banded(name: str, middle: Floats, half: Floats, colour: str) -> Sequence[Line]:
    return [
        Line(name=f"{name} upper", values=middle + half, colour=colour, dashed=True),
        Line(name=f"{name} middle", values=middle, colour=colour),
        Line(name=f"{name} lower", values=middle - half, colour=colour, dashed=True),
    ]


OVERLAYS: Mapping[str, Overlay] = MappingProxyType(
    {
        "ema_9": _average(9, SKY),
        "ema_21": _average(21, OLIVE),
        "ema_50": _average(50, PURPLE),
        "ema_100": _average(100, GREEN),
        "bollinger": Overlay(
            title="Bollinger 20", features=("bb_20_width", "bb_20_percent_b"), lines=_bollinger
        ),
        "channel": Overlay(
            title="Channel 48", features=("linreg_48_position", "linreg_48_half_width_pct"), lines=_regression
        ),
    }
)

"""A bar reduced to what the fill rules read."""

from __future__ import annotations

from typing import NamedTuple


class Candle(NamedTuple):
    """`ts` is the bar's open in Unix seconds; prices in quote, `volume` in base currency."""

    ts: int
    open: float
    high: float
    low: float
    close: float
    volume: float

"""All symbols at a glance: a field each, coloured by how its price moved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tracker.store.pages.market import SymbolHeat

from services.dashboard.elements.chart import base
from services.dashboard.formats import price, signed_percent

# A quiet market is not painted as a stormy one.
LEAST_LIMIT = 0.005
LIMIT_QUANTILE = 0.9
# White letters are read on all three, and all three are seen on white as on black.
_QUIET, _RISE, _FALL = (96, 106, 120), (0, 110, 176), (190, 78, 0)
_FRAME = "#f0e442"
# No field is smaller than this share of the largest.
SMALLEST = 0.12


def colour_limit(changes: Sequence[float | None]) -> float:
    """Return the change that is painted fullest: nine tenths of all are smaller, so that one outlier pales nobody."""
    sizes = sorted(abs(each) for each in changes if each is not None)
    if not sizes:
        return LEAST_LIMIT
    return max(LEAST_LIMIT, sizes[math.ceil(LIMIT_QUANTILE * len(sizes)) - 1])


def diverging(value: float | None, limit: float) -> str:
    """Return blue for a rise and orange for a fall, full at `limit`; grey where nothing moved or nothing is known."""
    strength = 0.0 if value is None else min(abs(value) / limit, 1.0)
    goal = _FALL if value is not None and value < 0 else _RISE
    mixed = (round(low + (high - low) * strength) for low, high in zip(_QUIET, goal, strict=True))
    return f"rgb({','.join(str(each) for each in mixed)})"


def heat_options(symbols: Sequence[SymbolHeat], *, hours: int, chosen: str | None) -> dict[str, Any]:
    """Return a tree map: a field a symbol, as large as the root of its turnover; `chosen` has a frame.

    `hours` are those that the change is over: 1 or 24.
    """
    changes = [each.change_1h if hours == 1 else each.change_24h for each in symbols]
    limit = colour_limit(changes)
    largest = max((math.sqrt(each.turnover or 0.0) for each in symbols), default=0.0)
    return base(
        tooltip={"confine": True, ":formatter": "item => item.data && item.data.says || ''"},
        series=[
            {
                "id": "heat", "type": "treemap", "roam": False, "nodeClick": False, "breadcrumb": {"show": False},
                "left": 0, "right": 0, "top": 0, "bottom": 0, "leafDepth": 1, "squareRatio": 1.1,
                "itemStyle": {"borderWidth": 0, "gapWidth": 2, "borderColor": "transparent"},
                "label": {"fontSize": 10.5, "lineHeight": 13, "padding": 0, "overflow": "truncate", "ellipsis": ""},
                "data": [
                    _node(each, change, largest, limit, digits=2 if hours == 1 else 1, is_chosen=each.symbol == chosen)
                    for each, change in zip(symbols, changes, strict=True)
                ],
            }
        ],
    )  # fmt: skip


def _node(
    symbol: SymbolHeat, change: float | None, largest: float, limit: float, *, digits: int, is_chosen: bool
) -> dict[str, Any]:
    coin = symbol.symbol.split("-")[0]
    size = math.sqrt(symbol.turnover or 0.0) / largest if largest > 0 else 1.0
    told = signed_percent(change, digits)
    return {
        "name": symbol.symbol,
        "value": round(max(size, SMALLEST), 4),
        "says": f"{symbol.symbol}  {price(symbol.price)}  {told}",
        "label": {
            "formatter": f"{coin}\n{told}",
            "color": "#fff",
            "fontWeight": "bold" if is_chosen else "normal",
        },
        "itemStyle": {
            "color": diverging(change, limit),
            "borderColor": _FRAME if is_chosen else "transparent",
            "borderWidth": 3 if is_chosen else 0,
        },
    }

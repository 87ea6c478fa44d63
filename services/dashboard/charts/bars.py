"""Figures by name, the largest on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.dashboard.elements.chart import BAD, PALETTE, QUIET, base, value_axis

ROW_PIXELS, AROUND_PIXELS = 21, 52


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One figure; `note` stands below it in its tooltip, and one beyond the limit is drawn so."""

    name: str
    value: float
    note: str = ""
    beyond: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A line across all bars, with its word."""

    value: float
    word: str


def bars(found: Sequence[Bar], look: str, marks: Sequence[Mark] = ()) -> dict[str, Any]:
    """Return a chart of bars from left to right, the first on top; `look` is a column's."""
    tip = f"(p) => `${{p.name}}<br><b>${{tracker.show({look!r}, p.value)}}</b><br>${{p.data.note}}`"
    return base(
        grid={"left": 8, "right": 26, "top": 22 if marks else 8, "bottom": 4, "containLabel": True},
        tooltip={"trigger": "item", "confine": True, ":formatter": tip},
        xAxis=value_axis(look, scale=False, splitNumber=4),
        yAxis={"type": "category", "inverse": True, "axisTick": {"show": False}, "data": [each.name for each in found]},
        series=[
            {
                "type": "bar",
                "barCategoryGap": "28%",
                "data": [
                    {"value": each.value, "note": each.note,
                     "itemStyle": {"color": BAD if each.beyond else PALETTE[0],
                                   "decal": {"symbol": "rect", "dashArrayX": [1, 0], "dashArrayY": [3, 4],
                                             "rotation": -0.785, "color": "rgba(255,255,255,.45)"}
                                   if each.beyond else None}}
                    for each in found
                ],
                "markLine": {
                    "symbol": "none", "silent": True, "lineStyle": {"color": QUIET, "type": "dashed"},
                    "label": {"color": QUIET, "position": "start", ":formatter": "(p) => p.data.word"},
                    "data": [{"xAxis": each.value, "word": each.word} for each in marks],
                },
            }
        ],
    )  # fmt: skip


def height_of(count: int) -> int:
    """Return how many pixels so many bars need."""
    return AROUND_PIXELS + ROW_PIXELS * max(count, 3)

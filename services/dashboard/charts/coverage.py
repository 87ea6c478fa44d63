"""Days by the share of bars that they have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracker.store.pages.market import DayCoverage

from services.dashboard.elements.chart import base
from services.dashboard.formats import count, percent

# (at least, at most, name, colour): from orange, where much is missing, to blue.
STEPS = (
    (None, 0.5, "<50%", "#D55E00"),
    (0.5, 0.9, "50\u201390%", "#E69F00"),
    (0.9, 0.99, "90\u201399%", "#F3CF7A"),
    (0.99, 0.9999, "\u226599%", "#8CC8EE"),
    (0.9999, None, "all", "#0072B2"),
)
# Fourteen weeks beside each other fit on a phone.
FIELD_WIDTH, FIELD_HEIGHT = 22, 19


def coverage_options(days: Sequence[DayCoverage]) -> dict[str, Any]:
    """Return a calendar, a field a day, narrow enough for a phone."""
    known = [each for each in days if each.expected]
    if not known:
        return {"series": []}
    first, last = min(each.day for each in known), max(each.day for each in known)
    return base(
        tooltip={"confine": True, ":formatter": "item => item.data.says"},
        visualMap={
            "type": "piecewise", "orient": "horizontal", "left": 0, "bottom": 0, "itemWidth": 12,
            "itemHeight": 12, "itemGap": 8, "textStyle": {"fontSize": 11}, "showLabel": True, "dimension": 1,
            "pieces": [
                {"label": name, "color": colour}
                | ({} if low is None else {"gte": low})
                | ({} if high is None else {"lt": high})
                for low, high, name, colour in STEPS
            ],
        },
        calendar={
            "range": [first.isoformat(), last.isoformat()],
            "left": 34, "top": 24, "cellSize": [FIELD_WIDTH, FIELD_HEIGHT],
            "dayLabel": {"firstDay": 1, "fontSize": 10},
            "yearLabel": {"show": False},
        },
        series=[
            {
                "type": "heatmap", "coordinateSystem": "calendar",
                "data": [
                    {
                        "value": [each.day.isoformat(), each.bars / each.expected], "says": _says(each),
                    }
                    for each in known
                ],
            }
        ],
    )  # fmt: skip


def _says(day: DayCoverage) -> str:
    missing = f", {day.incomplete} symbols miss some" if day.incomplete > 1 else ""
    return (
        f"{day.day:%d %b %Y}: {count(day.bars)} of {count(day.expected)} bars,"
        f" {percent(day.bars / day.expected, 2)}{missing}"
    )

"""What an account is worth over time, and how far below its peak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracker.store.pages.paper import EquityPoint

from services.dashboard.elements.chart import BAD, GOOD, QUIET, base, line, time_axis, value_axis

_TOOLTIP_JS = """(items => items.length ? tracker.show('moment', items[0].value[0]) + items.map(item =>
  '<div>' + item.marker + item.seriesName + ' <b>' +
  tracker.show(item.seriesId === 'drawdown' ? 'signed_percent' : 'money', item.value[1]) + '</b></div>').join('') : '')
"""


def equity_options(points: Sequence[EquityPoint], *, paid_in: float | None = None) -> dict[str, Any]:
    """Return the equity with the drawdown under it; `paid_in` is drawn as a line."""
    stamps = [round(each.at.timestamp() * 1000) for each in points]
    equity = line("equity", [[at, each.equity] for at, each in zip(stamps, points, strict=True)])
    falls = [[at, -(each.drawdown or 0.0)] for at, each in zip(stamps, points, strict=True)]
    return base(
        grid=[
            {"left": 8, "right": 68, "top": 10, "height": "58%"},
            {"left": 8, "right": 68, "top": "71%", "bottom": 24},
        ],
        xAxis=[
            time_axis(gridIndex=0, axisLabel={"show": False}, axisTick={"show": False}),
            time_axis(gridIndex=1, axisTick={"show": False}),
        ],
        yAxis=[
            value_axis("count", gridIndex=0, position="right", splitNumber=4, axisLine={"show": False}),
            value_axis(
                "signed_percent", gridIndex=1, position="right", splitNumber=2, scale=False, max=0,
                axisLine={"show": False},
            ),
        ],
        axisPointer={"link": [{"xAxisIndex": "all"}]},
        tooltip={"trigger": "axis", ":formatter": _TOOLTIP_JS, "confine": True},
        series=[
            equity | {"id": "equity", "color": GOOD, "markLine": _level(paid_in), "showSymbol": len(points) == 1},
            line("drawdown", falls, id="drawdown", xAxisIndex=1, yAxisIndex=1, color=BAD, areaStyle={"opacity": 0.25})
            | {"lineStyle": {"width": 1}},
        ],
    )


def _level(value: float | None) -> dict[str, Any]:
    return {
        "silent": True, "symbol": "none", "label": {"show": False}, "precision": 12,
        "lineStyle": {"color": QUIET, "type": "dashed", "width": 1},
        "data": [] if value is None else [{"yAxis": value}],
    }  # fmt: skip

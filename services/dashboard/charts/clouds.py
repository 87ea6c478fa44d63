"""What the variations came to, a point each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tracker.store.pages.shadow import Point

from services.dashboard.elements.chart import PALETTE, QUIET, base, value_axis

# What a variation has to show before luck is ruled out.
BEYOND_LUCK = 0.95
SHAPES = ("circle", "rect", "triangle", "diamond", "roundRect")


def deflation_options(points: Sequence[Point], strategies: Sequence[str]) -> dict[str, Any]:
    """Return a chart of each variation's return and how likely that is more than luck."""
    known = [(each, each.dsr) for each in points if each.dsr is not None and each.trades]
    options = _cloud([(each, each.total_return, dsr) for each, dsr in known], strategies, "beyond luck", "percent")
    options["yAxis"] |= {"min": 0, "max": 1}
    options["series"][0]["markLine"] = {
        "symbol": "none", "silent": True, "lineStyle": {"color": QUIET, "type": "dashed"},
        "label": {"color": QUIET, "position": "insideStartTop", "formatter": "beyond luck"},
        "data": [{"yAxis": BEYOND_LUCK}],
    }  # fmt: skip
    return options


def halves_options(points: Sequence[Point], strategies: Sequence[str]) -> dict[str, Any]:
    """Return a chart of what each variation returned in the first half of the window, and in the second."""
    found = [(each, each.first_half_return, each.second_half_return) for each in points if each.trades]
    return _cloud(found, strategies, "second half", "signed_percent")


def _cloud(
    found: Sequence[tuple[Point, float, float]], strategies: Sequence[str], what: str, look: str
) -> dict[str, Any]:
    """Return a chart of points (x a return, y), a colour and a shape for each strategy, what is live on top."""
    tip = (
        f"(p) => `${{p.seriesName}} <code>${{p.value[2].slice(0, 8)}}</code><br>${{tracker.show('signed_percent', "
        f"p.value[0])}} · {what} <b>${{tracker.show({look!r}, p.value[1])}}</b><br>${{p.value[3]}} trades`"
    )
    series: list[dict[str, Any]] = []
    for place, strategy in enumerate(strategies):
        own = [each for each in found if each[0].strategy == strategy]
        series.append({
            "type": "scatter", "name": strategy, "symbol": SHAPES[place % len(SHAPES)], "symbolSize": 5,
            "itemStyle": {"opacity": 0.55, "color": PALETTE[place % len(PALETTE)]},
            "data": [_datum(each) for each in own if not each[0].is_live],
        })  # fmt: skip
    series.append({
        "type": "scatter", "name": "live", "symbol": "pin", "symbolSize": 24, "z": 5,
        "itemStyle": {"color": PALETTE[5], "borderColor": "#fff", "borderWidth": 1},
        "data": [_datum(each) for each in found if each[0].is_live],
    })  # fmt: skip
    return base(
        legend={"top": 0, "right": 0, "itemWidth": 14},
        grid={"left": 8, "right": 30, "top": 30, "bottom": 8, "containLabel": True},
        tooltip={"trigger": "item", "confine": True, ":formatter": tip},
        xAxis=value_axis("percent", scale=False),
        yAxis=value_axis("percent", scale=False),
        series=series,
    )


def _datum(each: tuple[Point, float, float]) -> list[Any]:
    point, x, y = each
    return [round(x, 5), round(y, 5), point.variation, point.trades]

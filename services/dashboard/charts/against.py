"""Figures held against what was said of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from services.dashboard.elements.chart import BAD, GOOD, QUIET, base, line, time_axis, value_axis


def calibration_options(groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a chart of what was won against what was said, and the line on which both are the same."""
    shares = [each[name] for each in groups for name in ("predicted", "observed") if each[name] is not None]
    low = math.floor(min(shares, default=0.0) * 10) / 10
    high = math.ceil(max(shares, default=1.0) * 10) / 10
    tip = (
        "(p) => p.seriesIndex ? `said ${tracker.show('percent', p.value[0])}<br>won "
        "<b>${tracker.show('percent', p.value[1])}</b> of ${p.value[2]}<br>net return a trade "
        "${tracker.show('signed_percent', p.value[3])}` : 'said and won alike'"
    )
    tenths = {":formatter": "(v) => `${Math.round(100 * v)}%`"}
    axis = {"min": low, "max": high, "interval": 0.1, "axisLabel": tenths}
    return base(
        legend={"top": 0, "right": 0, "itemWidth": 18},
        grid={"left": 24, "right": 18, "top": 30, "bottom": 20, "containLabel": True},
        tooltip={"trigger": "item", "confine": True, ":formatter": tip},
        xAxis=value_axis("percent", name="said", nameLocation="middle", nameGap=26, **axis),
        yAxis=value_axis("percent", name="won", nameLocation="middle", nameGap=42, **axis),
        series=[
            line(
                "as said", [[low, low], [high, high]], lineStyle={"type": "dashed", "width": 1.2, "color": QUIET},
                itemStyle={"color": QUIET}, symbol="none",
            ),
            line(
                "won", [[each["predicted"], each["observed"], each["labels"], each["mean_return"]] for each in groups],
                showSymbol=True, symbolSize=8, lineStyle={"width": 1.8, "color": GOOD}, itemStyle={"color": GOOD},
            ),
        ],
    )  # fmt: skip


def promise_options(look: str) -> dict[str, Any]:
    """Return a chart of a live figure and what was promised, without data."""
    return base(
        legend={"top": 0, "right": 0, "itemWidth": 18},
        tooltip={"trigger": "axis", "confine": True, ":valueFormatter": f"(v) => tracker.show({look!r}, v)"},
        xAxis=time_axis(),
        yAxis=value_axis(look, splitNumber=4),
        series=[
            line("live", [], showSymbol=True, symbolSize=5, lineStyle={"width": 1.8, "color": GOOD},
                 itemStyle={"color": GOOD}),
            line("promised", [], step="end", lineStyle={"type": "dashed", "width": 1.4, "color": BAD},
                 itemStyle={"color": BAD}),
        ],
    )  # fmt: skip

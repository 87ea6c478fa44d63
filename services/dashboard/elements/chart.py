"""Charts with one look on every page, readable with any colour vision, in dark and in light."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from nicegui import ui

# Okabe and Ito's colours but black, the two that are told apart best first.
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c8c")
# Rise and fall, gain and loss: told apart by any colour vision, and seen on both backgrounds.
GOOD, BAD, QUIET = "#2b8fd0", "#d9772b", "#8c96a5"

Points = list[list[Any]]


class Chart:
    """An ECharts chart that is changed where it stands."""

    def __init__(self, options: dict[str, Any], height: int = 260) -> None:
        """Show ECharts options (`base` has the common ones); the browser puts the theme's colours in. Pixels."""
        self._element = ui.echart(options, renderer="canvas").style(f"height: {height}px").classes("chart")

    @property
    def element(self) -> ui.echart:
        """The element itself, for its events."""
        return self._element

    def set_series(self, number: int, data: Points) -> None:
        """Give a series other data."""
        series = self._element.options["series"][number]
        if series.get("data") != data:
            series["data"] = data
            self._element.update()

    def set_options(self, options: dict[str, Any]) -> None:
        """Put other options in the place of those that it has."""
        if options != self._element.options:
            self._element.options.clear()
            self._element.options.update(options)
            self._element.update()


def base(**options: Any) -> dict[str, Any]:
    """Return what every chart has: margins, no animation, a tooltip; `options` add to it."""
    return {
        "animation": False,
        "color": list(PALETTE),
        "backgroundColor": "transparent",
        "grid": {"left": 8, "right": 12, "top": 28, "bottom": 8, "containLabel": True},
        "tooltip": {"trigger": "axis", "confine": True},
        **options,
    }


def time_axis(**options: Any) -> dict[str, Any]:
    """Return an axis of time; ECharts labels it in the viewer's zone."""
    return {"type": "time", "axisLabel": {"hideOverlap": True}, "splitLine": {"show": False}, **options}


def value_axis(look: str = "number", **options: Any) -> dict[str, Any]:
    """Return an axis of figures that need not begin at zero, labelled by one of the columns' looks."""
    label = {"hideOverlap": True, ":formatter": f"(v) => tracker.show({look!r}, v)"}
    return {"type": "value", "scale": True, "axisLabel": label, **options}


def line(name: str, data: Points, **options: Any) -> dict[str, Any]:
    """Return a line without marks on its points."""
    return {"type": "line", "name": name, "data": data, "showSymbol": False, "lineStyle": {"width": 1.8}, **options}


def points(pairs: Iterable[tuple[datetime, float | None]]) -> Points:
    """Return moments and values as a chart takes them."""
    return [[int(at.timestamp() * 1000), value] for at, value in pairs]

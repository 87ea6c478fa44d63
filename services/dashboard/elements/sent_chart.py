"""Charts whose data the browser alone keeps: hundreds of bars for each viewer would add up here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui


class SentChart:
    """An ECharts chart that is sent whole and then forgotten here; later options or series are sent alike."""

    def __init__(self, height: int) -> None:
        """Take a place on the page; nothing is drawn yet. Height in pixels."""
        self._place = ui.element("div").style(f"height: {height}px").classes("chart")
        self._height = height
        self._chart: ui.echart | None = None

    @property
    def place(self) -> ui.element:
        """Where it stands, to be hidden and shown."""
        return self._place

    @property
    def chart(self) -> ui.echart | None:
        """The chart, once something was drawn."""
        return self._chart

    def draw(self, options: dict[str, Any]) -> None:
        """Draw another chart in the place of this one, its view and all."""
        if self._chart is not None:
            self._chart.run_chart_method(":setOption", as_code(options), "true")
            return
        with self._place:
            # As texts: of every list and mapping among its properties an element keeps one of its own, and watches it.
            texts = {name if name.startswith(":") else f":{name}": as_code(value) for name, value in options.items()}
            self._chart = ui.echart(texts).style(f"height: {self._height}px").classes("chart")
            # It goes out with the page; when the page is there, nobody needs it here any more.
            self._chart.client.on_connect(self._forget)

    def replace_series(self, series: Sequence[Mapping[str, Any]]) -> None:
        """Put other series in the place of all, and keep what is in view."""
        if self._chart is not None:
            code = as_code({"series": series})
            self._chart.run_chart_method(":setOption", code, "({ replaceMerge: ['series'] })")

    def update_series(self, code: str) -> None:
        """Change series by what a JavaScript expression makes of them."""
        if self._chart is not None:
            self._chart.run_chart_method(":setOption", code)

    def _forget(self) -> None:
        if self._chart is not None:
            # Not by its own method, which would send the empty options.
            dict.clear(self._chart.options)


def as_code(value: Any) -> str:
    """Return plain values as a JavaScript expression; what stands under a name that begins with a colon is code."""
    if isinstance(value, Mapping):
        entries = (
            f"{json.dumps(name[1:])}:{inner}" if name.startswith(":") else f"{json.dumps(name)}:{as_code(inner)}"
            for name, inner in value.items()  # pyright: ignore[reportUnknownVariableType]
        )
        return f"({{{','.join(entries)}}})"
    if isinstance(value, list | tuple) and any(isinstance(each, Mapping | list) for each in value):  # pyright: ignore
        return f"[{','.join(as_code(each) for each in value)}]"  # pyright: ignore[reportUnknownVariableType]
    return json.dumps(value)

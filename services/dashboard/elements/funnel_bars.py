"""How many came to each step, as bars."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nicegui import ui

from services.dashboard import formats


class FunnelBars:
    """A row a step: its name, a bar, the number, and its share of the step before."""

    def __init__(self, steps: Sequence[str]) -> None:
        """Show no numbers yet."""
        self._rows: list[tuple[ui.element, ui.label, ui.label]] = []
        with ui.element("div").classes("funnel"):
            for each in steps:
                ui.label(each).classes("funnel-name")
                with ui.element("div").classes("funnel-track"):
                    bar = ui.element("div").classes("funnel-bar")
                self._rows.append((bar, ui.label().classes("funnel-count"), ui.label().classes("funnel-share")))

    def show(self, counts: Sequence[int]) -> None:
        """Show how many came to each step."""
        widths = bar_widths(counts)
        for place, ((bar, number, share), count) in enumerate(zip(self._rows, counts, strict=True)):
            before = counts[place - 1] if place else 0
            bar.style(f"width: {widths[place]:.1f}%")
            number.set_text(formats.count(count))
            share.set_text(formats.percent(count / before) if before else "")


def bar_widths(counts: Sequence[int]) -> list[float]:
    """Return widths in percent, by the roots of the numbers: so one trade among thousands of looks is still seen."""
    most = max(counts, default=0)
    return [100.0 * math.sqrt(each / most) if most else 0.0 for each in counts]

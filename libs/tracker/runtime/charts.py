"""Charts as SVG text, for pages that must stand alone: no script, no font and no style from elsewhere.

Colours are CSS variables of the page (see REPORT_STYLE in page.py), so that dark and light are the page's matter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WIDTH = 960
LEFT, RIGHT, TOP, BOTTOM = 74, 14, 12, 26
# Room for the name of an axis below its numbers.
LABEL = 14
# More points than pixels only make the file large.
MOST_POINTS = 1200


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A named series (n,) on the chart's x axis; `style` is a CSS class of the page: a, b, or loss."""

    name: str
    values: Floats
    style: str = "a"
    filled: bool = False


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.5
        return self.start + share * (self.end - self.start)


def time_chart(ts: Sequence[int], lines: Sequence[Line], *, height: int = 260, percent: bool = False) -> str:
    """Draw series over time; `ts` in Unix seconds (n,), one value a moment in each line."""
    moments = np.asarray(ts, dtype=np.float64)
    if moments.size < 2:
        return _empty(height)
    x = _Scale(float(moments[0]), float(moments[-1]), LEFT, WIDTH - RIGHT)
    y = _vertical([each.values for each in lines], height)
    parts = [_frame(height), *_horizontal_lines(y, percent=percent), *_dates(x, height)]
    for each in lines:
        parts.append(_path(moments, each, x, y))
    return _svg(height, parts, ", ".join(each.name for each in lines))


def scatter(xs: Floats, ys: Floats, styles: Sequence[str], *, x_label: str, y_label: str, height: int = 300) -> str:
    """Draw points, both axes in fractions shown as percent; `styles` is a CSS class a point."""
    if xs.size == 0:
        return _empty(height)
    x = _Scale(0.0, max(float(xs.max()), 1e-6) * 1.05, LEFT, WIDTH - RIGHT)
    y = _Scale(0.0, max(float(ys.max()), 1e-6) * 1.05, height - BOTTOM - 12, TOP)
    parts = [_frame(height), *_horizontal_lines(y, percent=True)]
    for value in _ticks(x.low, x.high):
        parts.append(_text(x(value), height - BOTTOM + 4, f"{value * 100:.3g}%", "middle"))
    parts += [
        f'<circle class="dot {escape(style)}" cx="{x(float(one)):.1f}" cy="{y(float(other)):.1f}" r="3.2"/>'
        for one, other, style in zip(xs, ys, styles, strict=True)
    ]
    parts.append(_text(WIDTH - RIGHT, height - 6, x_label, "end"))
    parts.append(_text(LEFT + 6, TOP + 10, y_label, "start"))
    return _svg(height, parts, f"{y_label} against {x_label}")


def curve_chart(
    curves: Sequence[tuple[Floats, Line]], *, x_label: str, percent: bool = False, dots: bool = False, height: int = 260
) -> str:
    """Draw lines over a number each, (x, line) with x ascending; `percent`: both axes are fractions."""
    known = [each for each in curves if each[0].size]
    if not known:
        return _empty(height)
    every = np.concatenate([each[0] for each in known])
    x = _Scale(float(every.min()), float(every.max()), LEFT, WIDTH - RIGHT)
    y = _vertical([each[1].values for each in known], height)
    parts = [_frame(height), *_horizontal_lines(y, percent=percent)]
    for value in _ticks(x.low, x.high):
        text = f"{value * 100:.3g}%" if percent else f"{value:,.6g}"
        parts.append(_text(x(value), height - BOTTOM + 16, text, "middle"))
    for xs, line in known:
        parts.append(_path(xs, line, x, y))
        if dots and line.style != "b":
            parts += [
                f'<circle class="dot {line.style}" cx="{x(float(one)):.1f}" cy="{y(float(other)):.1f}" r="3.6"/>'
                for one, other in zip(xs, line.values, strict=True)
            ]
    # Below the numbers: a line may end anywhere above them.
    parts.append(_text(WIDTH - RIGHT, height + LABEL - 4, x_label, "end"))
    return _svg(height + LABEL, parts, ", ".join(each[1].name for each in known))


def histogram(values: Floats, *, percent: bool, height: int = 220, bins: int = 41, label: str = "") -> str:
    """Draw how often values fall into equal bins, those below 0 in the colour of a loss; `percent`: fractions."""
    if values.size == 0:
        return _empty(height)
    reach = max(float(np.abs(values).max()), 1e-6)
    counts, edges = np.histogram(values, bins=np.linspace(-reach, reach, bins + 1))
    x = _Scale(-reach, reach, LEFT, WIDTH - RIGHT)
    y = _Scale(0.0, float(counts.max()), height - BOTTOM, TOP)
    parts = [_frame(height), *_horizontal_lines(y, percent=False)]
    for count, low, high in zip(counts.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        style = "loss" if low + high < 0 else "a"
        parts.append(
            f'<rect class="bar {style}" x="{x(low) + 0.5:.1f}" y="{y(count):.1f}"'
            f' width="{x(high) - x(low) - 1:.1f}" height="{y(0) - y(count):.1f}"/>'
        )
    for value in _ticks(-reach, reach):
        text = f"{value * 100:.3g}%" if percent else f"{value:.3g}"
        parts.append(_text(x(value), height - BOTTOM + 16, text, "middle"))
    return _svg(height, parts, label)


def heat_map(table: Floats, rows: Sequence[str], columns: Sequence[str], *, row_label: str, column_label: str) -> str:
    """Draw a table (R, C) of figures as coloured cells, the best in the strongest blue, losses in orange."""
    cell, left, top = 64, 120, 44
    height = top + cell // 2 * len(rows) + 4
    width = left + cell * len(columns) + 10
    reach = float(np.nanmax(np.abs(table))) if np.isfinite(table).any() else 1.0
    parts = [_text(left, 16, column_label, "start"), _text(8, top - 8, row_label, "start")]
    for number, name in enumerate(columns):
        parts.append(_text(left + cell * number + cell / 2, top - 8, name, "middle"))
    for row, name in enumerate(rows):
        y = top + cell // 2 * row
        parts.append(_text(left - 8, y + cell / 4 + 4, name, "end"))
        for column in range(len(columns)):
            value = float(table[row, column])
            style = "none" if math.isnan(value) else "loss" if value < 0 else "a"
            strength = 0.0 if math.isnan(value) or reach == 0 else 0.12 + 0.88 * abs(value) / reach
            x = left + cell * column
            parts.append(
                f'<rect class="cell {style}" x="{x}" y="{y}" width="{cell - 2}" height="{cell // 2 - 2}"'
                f' fill-opacity="{strength:.3f}"/>'
            )
            text = "" if math.isnan(value) else f"{value:.3g}"
            parts.append(_text(x + cell / 2 - 1, y + cell / 4 + 4, text, "middle"))
    return (
        f'<svg viewBox="0 0 {width} {height}" style="max-width:{width}px" role="img"'
        f' aria-label="{escape(row_label)} by {escape(column_label)}">{"".join(parts)}</svg>'
    )


def _svg(height: int, parts: Sequence[str], label: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'


def _empty(height: int) -> str:
    return _svg(height, [_text(WIDTH / 2, height / 2, "nothing to show", "middle")], "nothing to show")


def _vertical(series: Sequence[Floats], height: int) -> _Scale:
    known = np.concatenate([each[np.isfinite(each)] for each in series])
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    room = (high - low) * 0.04 or abs(high) * 0.01 or 1.0
    return _Scale(low - (0.0 if low == 0 else room), high + (0.0 if high == 0 else room), height - BOTTOM, TOP)


def _path(moments: Floats, line: Line, x: _Scale, y: _Scale) -> str:
    rows = _thinned(line.values)
    points = " ".join(
        f"{x(float(moments[row])):.1f},{y(float(line.values[row])):.1f}"
        for row in rows
        if math.isfinite(float(line.values[row]))
    )
    if not points:
        return ""
    if not line.filled:
        return f'<polyline class="line {line.style}" points="{points}"/>'
    first, last = points.split(" ", 1)[0].split(",")[0], points.rsplit(" ", 1)[-1].split(",")[0]
    base = y(0.0)
    return f'<polygon class="area {line.style}" points="{first},{base:.1f} {points} {last},{base:.1f}"/>'


def _thinned(values: Floats) -> list[int]:
    """Return rows that keep the lowest and highest value of every stretch."""
    if values.size <= MOST_POINTS:
        return list(range(values.size))
    rows: set[int] = {0, values.size - 1}
    for stretch in np.array_split(np.arange(values.size), MOST_POINTS // 2):
        part = np.nan_to_num(values[stretch])
        rows |= {int(stretch[part.argmin()]), int(stretch[part.argmax()])}
    return sorted(rows)


def _frame(height: int) -> str:
    return f'<line class="axis" x1="{LEFT}" y1="{height - BOTTOM}" x2="{WIDTH - RIGHT}" y2="{height - BOTTOM}"/>'


def _horizontal_lines(y: _Scale, *, percent: bool) -> list[str]:

    parts: list[str] = []
    for value in _ticks(y.low, y.high):
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y(value):.1f}" x2="{WIDTH - RIGHT}" y2="{y(value):.1f}"/>')
        parts.append(_text(LEFT - 8, y(value) + 4, f"{value * 100:.3g}%" if percent else f"{value:,.6g}", "end"))
    return parts


def _dates(x: _Scale, height: int) -> list[str]:
    long = x.high - x.low > 3 * 86_400
    parts: list[str] = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        moment = datetime.fromtimestamp(x.low + share * (x.high - x.low), UTC)
        anchor = "start" if share == 0 else "end" if share == 1 else "middle"
        text = f"{moment:%Y-%m-%d}" if long else f"{moment:%m-%d %H:%M}"
        parts.append(_text(LEFT + share * (WIDTH - RIGHT - LEFT), height - BOTTOM + 17, text, anchor))
    return parts


def _ticks(low: float, high: float) -> list[float]:
    """Return four to eight round numbers between two."""
    span = high - low
    if not span > 0:
        return [low]
    step = 10.0 ** math.floor(math.log10(span / 4))
    for factor in (5.0, 2.0):
        if span / (step * factor) >= 4:
            step *= factor
            break
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'

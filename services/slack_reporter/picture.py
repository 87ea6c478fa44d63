"""Draws equity with its drawdown: `python -m services.slack_reporter.picture`, points on stdin, PNG on stdout."""

from __future__ import annotations

import io
import sys
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import matplotlib as mpl
import numpy as np
import orjson
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, DateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray
from PIL import Image

# Okabe and Ito's colours, which differ for every kind of colour vision; lines differ in shape as well.
BLUE, VERMILION, GREY, INK = "#0072B2", "#D55E00", "#767676", "#222222"
# A phone shows a third of these pixels across, so that letters are three times as tall as there.
INCHES, DPI = (7.2, 5.7), 150
FONT = 14
COLOURS = 96
Numbers: TypeAlias = NDArray[np.float64]


def main() -> None:
    """Draw what stands on standard input."""
    document: dict[str, Any] = orjson.loads(sys.stdin.buffer.read())
    sys.stdout.buffer.write(draw(document))


def draw(document: dict[str, Any]) -> bytes:
    """Return the PNG of a curve: points (ISO time, equity), capital, currency, account, zone, tag, kind."""
    zone = ZoneInfo(document["zone"])
    moments = [datetime.fromisoformat(at).astimezone(zone) for at, _ in document["points"]]
    times: Numbers = np.asarray(date2num(moments), dtype=np.float64)
    equity: Numbers = np.array([value for _, value in document["points"]], dtype=np.float64)
    style: Any = {"font.size": FONT, "font.family": "DejaVu Sans", "axes.spines.top": False, "axes.spines.right": False,
             "axes.edgecolor": GREY, "xtick.color": INK, "ytick.color": INK, "axes.labelcolor": INK}  # fmt: skip
    with mpl.rc_context(style):
        figure = Figure(figsize=INCHES, dpi=DPI, facecolor="white")
        canvas = FigureCanvasAgg(figure)
        upper, lower = figure.subplots(
            2, 1, sharex=True, height_ratios=(2.7, 1),
            gridspec_kw={"left": 0.135, "right": 0.965, "top": 0.83, "bottom": 0.075, "hspace": 0.09},
        )  # fmt: skip
        _equity(upper, times, equity)
        _drawdown(lower, times, 100 * (equity / np.maximum.accumulate(equity) - 1))
        _times(lower, moments, zone)
        _title(figure, moments, equity, document)
        canvas.draw()
        return _png(canvas)


def _png(canvas: FigureCanvasAgg) -> bytes:
    """Return the picture in few colours, which is all that it has: a quarter of the bytes."""
    sink = io.BytesIO()
    whole = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    whole.quantize(COLOURS, dither=Image.Dither.NONE).save(sink, format="png", optimize=True)
    return sink.getvalue()


def _equity(axes: Axes, times: Numbers, equity: Numbers) -> None:
    begin = float(equity[0])
    axes.axhline(begin, color=GREY, linewidth=1.4, linestyle=(0, (4, 3)))
    axes.fill_between(times, equity, begin, color=BLUE, alpha=0.10, linewidth=0)
    axes.plot(times, equity, color=BLUE, linewidth=2.6, solid_joinstyle="round")
    axes.plot(times[-1:], equity[-1:], "o", color=BLUE, markersize=9, clip_on=False)
    axes.margins(x=0.02, y=0.10)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    digits = 0 if float(np.ptp(equity)) >= 10 else 2
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.{digits}f}"))
    axes.grid(axis="y", color=GREY, alpha=0.18)
    axes.tick_params(axis="x", length=0)


def _drawdown(axes: Axes, times: Numbers, fallen: Numbers) -> None:
    axes.fill_between(times, fallen, 0, color=VERMILION, alpha=0.30, linewidth=0)
    axes.plot(times, fallen, color=VERMILION, linewidth=1.8)
    deepest = float(fallen.min())
    axes.margins(x=0.02)
    axes.set_ylim(min(deepest * 1.5, -0.1), 0)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}%"))
    axes.grid(axis="y", color=GREY, alpha=0.18)
    axes.text(0.012, 0.1, f"drawdown, worst {deepest:.2f}%", transform=axes.transAxes, color=VERMILION, weight="bold")


def _times(axes: Axes, moments: list[datetime], zone: ZoneInfo) -> None:
    days = (moments[-1] - moments[0]) / timedelta(days=1)
    axes.xaxis.set_major_locator(AutoDateLocator(tz=zone, minticks=4, maxticks=7))
    form = "%H:%M" if days < 1.5 else "%a %d" if days < 12 else "%d %b"
    axes.xaxis.set_major_formatter(DateFormatter(form, tz=zone))


def _title(figure: Figure, moments: list[datetime], equity: Numbers, document: dict[str, Any]) -> None:
    begin, end = float(equity[0]), float(equity[-1])
    # Shapes as well as signs: up and down must not hang on a colour.
    arrow = "\u25b2" if end > begin else "\u25bc" if end < begin else "\u25a0"
    figure.text(0.02, 0.925, f"{end:,.2f} {document['currency']}", fontsize=25, weight="bold", color=INK)
    figure.text(0.975, 0.93, f"{arrow} {100 * (end / begin - 1):+.2f}%", fontsize=21, weight="bold", ha="right",
                color=BLUE if end >= begin else VERMILION)  # fmt: skip
    said = f"equity of {document['account']}, {moments[0]:%d %b %H:%M} to {moments[-1]:%d %b %H:%M}"
    figure.text(0.02, 0.865, said, fontsize=FONT, color=GREY)
    if document["tag"]:
        figure.text(0.975, 0.865, document["tag"], fontsize=FONT, color="white", weight="bold", ha="right",
                    bbox={"facecolor": INK, "edgecolor": "none", "pad": 4})  # fmt: skip
        figure.text(0.55, 0.56, document["tag"], fontsize=50, color=GREY, alpha=0.15, rotation=18, ha="center",
                    va="center", weight="bold")  # fmt: skip


if __name__ == "__main__":
    main()

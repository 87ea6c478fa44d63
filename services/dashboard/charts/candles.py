"""Candles with what was decided and traded on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import numpy as np
from tracker.domain.timeframe import Timeframe
from tracker.store.pages.market import Candles, CandleTail

from services.dashboard.charts.overlays import Floats, Line
from services.dashboard.elements.chart import BAD, GOOD, PALETTE, QUIET, base, time_axis, value_axis
from services.dashboard.formats import price

_, _, GREEN, _, _, VERMILLION, *_ = PALETTE
# White letters are read on it, and it is seen on black as on white.
LABEL = "#465468"
MOST_BARS = 500
# Share of the bars that is in view at first.
IN_VIEW = 0.4


class MarkKind(StrEnum):
    """What happened at a price."""

    SIGNAL = "signal"
    BUY = "buy"
    SELL = "sell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One thing that happened at `at` (Unix seconds); `says` is told beside it."""

    kind: MarkKind
    at: float
    price: float
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A position from its first fill to its last or to now (Unix seconds), with the prices that it is bounded by."""

    first: float
    last: float
    entry: float | None
    stop: float
    initial_stop: float
    target: float
    says: str


_SHAPES: Mapping[MarkKind, Mapping[str, Any]] = MappingProxyType(
    {
        MarkKind.SIGNAL: {
            "symbol": "diamond", "symbolSize": 9, "z": 4,
            "itemStyle": {"color": "#f0e442", "borderColor": LABEL, "borderWidth": 1},
        },
        MarkKind.BUY: {
            "symbol": "triangle", "symbolSize": 13, "z": 6,
            "itemStyle": {"color": GREEN, "borderColor": "#ffffff", "borderWidth": 1},
        },
        MarkKind.SELL: {
            "symbol": "triangle", "symbolSize": 13, "symbolRotate": 180, "z": 6,
            "itemStyle": {"color": VERMILLION, "borderColor": "#ffffff", "borderWidth": 1},
        },
    }
)  # fmt: skip

# One line a series: candles with their four prices, all else with its value, marks with what they say.
_TOOLTIP_JS = """(items => {
  if (!Array.isArray(items)) items = [items];
  if (!items.length) return '';
  const show = tracker.show, out = [show('moment', items[0].value[0])];
  const text = s => String(s).replace(/[&<>]/g, c => ({'&': '&amp;', '<': '&lt;', '>': '&gt;'}[c]));
  const row = (name, value) => '<div style="display:flex;gap:14px;justify-content:space-between"><span>' + name +
    '</span><b style="font-variant-numeric:tabular-nums">' + value + '</b></div>';
  for (const item of items) {
    const v = item.value;
    if (item.seriesId === 'candles')
      out.push(row('open', show('price', v[1])), row('high', show('price', v[4])), row('low', show('price', v[3])),
        row('close', show('price', v[2]) + ' (' + show('signed_percent', v[2] / v[1] - 1) + ')'));
    else if (item.seriesId === 'volume') out.push(row('volume', show('number', v[1])));
    else if (item.data && item.data.says) out.push('<div>' + item.marker + text(item.data.says) + '</div>');
    else if (v[1] != null) out.push(row(item.marker + text(item.seriesName), show('price', v[1])));
  }
  return out.join('');
})"""
_SHORT_JS = "v => (+v).toLocaleString('en-US', {notation: 'compact', maximumFractionDigits: 2})"


def with_running(tail: CandleTail, timeframe: Timeframe) -> Candles:
    """Return the closed bars and what the finest ones after them come to so far."""
    closed, finest = tail.closed, tail.finest
    if not finest.ts:
        return closed
    ts = np.array(finest.ts)
    bucket = ts // timeframe.seconds
    first = np.flatnonzero(np.concatenate(([True], bucket[1:] != bucket[:-1])))
    last = np.concatenate((first[1:], [len(ts)])) - 1
    return Candles(
        ts=(*closed.ts, *(bucket[first] * timeframe.seconds).tolist()),
        open=(*closed.open, *np.array(finest.open)[first].tolist()),
        high=(*closed.high, *np.maximum.reduceat(np.array(finest.high), first).tolist()),
        low=(*closed.low, *np.minimum.reduceat(np.array(finest.low), first).tolist()),
        close=(*closed.close, *np.array(finest.close)[last].tolist()),
        volume=(*closed.volume, *np.add.reduceat(np.array(finest.volume), first).tolist()),
    )


def candle_rows(bars: Candles, since: int = 0) -> list[list[float]]:
    """Return a row a bar that opens at `since` or later, as ECharts wants it: ms, open, close, low, high."""
    rows = zip(bars.ts, bars.open, bars.close, bars.low, bars.high, strict=True)
    return [[row[0] * 1000, *row[1:]] for row in rows if row[0] >= since]


def volume_rows(bars: Candles, since: int = 0) -> list[list[float]]:
    """Return a row a bar that opens at `since` or later: milliseconds, volume."""
    return [[at * 1000, volume] for at, volume in zip(bars.ts, bars.volume, strict=True) if at >= since]


def candle_options(
    bars: Candles,
    timeframe: Timeframe,
    *,
    marks: Sequence[Mark] = (),
    lives: Sequence[Life] = (),
    over: Sequence[Line] = (),
    below: Sequence[Line] = (),
) -> dict[str, Any]:
    """Return the chart of at most MOST_BARS bars; `over` lies on the price, `below` in a pane of its own."""
    bars = _newest(bars)
    over, below = ([_cut(each, len(bars)) for each in lines] for lines in (over, below))
    panes = 3 if below else 2
    stamps = [each * 1000 for each in bars.ts]
    series: list[dict[str, Any]] = [
        _candles(bars),
        {
            "id": "volume", "name": "volume", "type": "bar", "xAxisIndex": 1, "yAxisIndex": 1,
            "data": volume_rows(bars), "itemStyle": {"color": "rgba(128,136,148,0.55)"}, "barMaxWidth": 14,
        },
        *(_line(each, f"over:{each.name}", 0, stamps) for each in over),
        *(_line(each, f"below:{each.name}", 2, stamps) for each in below),
        *_bounds(lives, bars, timeframe),
        *_marks(marks, bars, timeframe),
    ]  # fmt: skip
    view = {"xAxisIndex": list(range(panes)), "start": _first_in_view(len(bars)), "end": 100}
    return base(
        grid=_grids(panes),
        xAxis=[_moments(pane, labelled=pane == panes - 1) for pane in range(panes)],
        yAxis=[
            _figures(0, "(v) => tracker.show('price', v)"),
            *(_figures(pane, _SHORT_JS, splitNumber=2) for pane in range(1, panes)),
        ],
        axisPointer={"link": [{"xAxisIndex": "all"}]},
        tooltip={
            "trigger": "axis", "axisPointer": {"type": "cross", "label": {"show": False}}, ":formatter": _TOOLTIP_JS,
            "confine": True,
        },
        dataZoom=[
            {"type": "inside", **view},
            {"type": "slider", "height": 18, "bottom": 4, "showDetail": False, "brushSelect": False, **view},
        ],
        series=series,
    )  # fmt: skip


def last_price(value: float) -> dict[str, Any]:
    """Return the line across the chart at the last price."""
    return {
        "silent": True, "symbol": "none", "animation": False, "precision": 12,
        "lineStyle": {"color": QUIET, "type": "dotted", "width": 1},
        "label": {
            "formatter": price(value), "position": "end", "backgroundColor": LABEL, "color": "#ffffff",
            "padding": [3, 5], "borderRadius": 3, "fontSize": 11, "textBorderWidth": 0,
        },
        "data": [{"yAxis": value}],
    }  # fmt: skip


def _newest(bars: Candles) -> Candles:
    if len(bars) <= MOST_BARS:
        return bars
    return Candles(**{each.name: getattr(bars, each.name)[-MOST_BARS:] for each in fields(bars)})


def _cut(line: Line, count: int) -> Line:
    return replace(line, values=line.values[len(line.values) - count :])


def _first_in_view(count: int) -> float:
    return 0.0 if count <= MOST_BARS * IN_VIEW else round(100.0 * (1.0 - MOST_BARS * IN_VIEW / count), 1)


def _grids(panes: int) -> list[dict[str, Any]]:
    """Return where price, volume and what lies below stand; the labels of the times and the slider are under them."""
    shares = ((2, 66), (71, 15)) if panes == 2 else ((2, 50), (55, 11), (69, 17))
    return [{"left": 8, "right": 68, "top": f"{top}%", "height": f"{height}%"} for top, height in shares]


def _moments(pane: int, *, labelled: bool) -> dict[str, Any]:
    return time_axis(gridIndex=pane, axisLabel={"show": labelled, "hideOverlap": True}, axisTick={"show": False})


def _figures(pane: int, formatter: str, **more: Any) -> dict[str, Any]:
    label = {"hideOverlap": True, ":formatter": formatter}
    return value_axis(gridIndex=pane, position="right", **more) | {"axisLabel": label, "axisLine": {"show": False}}


def _candles(bars: Candles) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": "candles", "name": "price", "type": "candlestick", "data": candle_rows(bars), "barMaxWidth": 14,
        "itemStyle": {"color": GOOD, "borderColor": GOOD, "color0": BAD, "borderColor0": BAD},
        "markLine": last_price(bars.close[-1]) if bars.ts else {"data": []},
    }  # fmt: skip
    return made


def _line(line: Line, identity: str, pane: int, stamps: Sequence[int]) -> dict[str, Any]:
    return {
        "id": identity, "name": line.name, "type": "line", "xAxisIndex": pane, "yAxisIndex": pane,
        "showSymbol": False, "connectNulls": False,
        "lineStyle": {"width": 1.2, "color": line.colour, "type": "dashed" if line.dashed else "solid"},
        "itemStyle": {"color": line.colour},
        "data": _points(stamps, line.values),
    }  # fmt: skip


def _points(stamps: Sequence[int], values: Floats) -> list[list[float | None]]:
    return [
        [at, value if known else None]
        for at, value, known in zip(stamps, values.tolist(), np.isfinite(values).tolist(), strict=True)
    ]


def _bounds(lives: Sequence[Life], bars: Candles, timeframe: Timeframe) -> list[dict[str, Any]]:
    """Return stop, target and entry of each position as lines over the bars of its life."""
    made: list[dict[str, Any]] = []
    for number, life in enumerate(lives):
        stamps = [at * 1000 for at in bars.ts if at + timeframe.seconds > life.first and at <= life.last]
        if not stamps:
            continue
        levels = [("stop", life.stop, VERMILLION, "solid"), ("target", life.target, GREEN, "solid")]
        if life.initial_stop != life.stop:
            levels.append(("first stop", life.initial_stop, VERMILLION, "dotted"))
        if life.entry is not None:
            levels.append(("entry", life.entry, QUIET, "dashed"))
        made += [
            {
                "id": f"{name}:{number}", "name": f"{name} ({life.says})", "type": "line",
                "showSymbol": len(stamps) == 1, "symbolSize": 4, "z": 3,
                "lineStyle": {"width": 1.4, "color": colour, "type": style},
                "itemStyle": {"color": colour}, "data": [[at, level] for at in stamps],
            }
            for name, level, colour, style in levels
        ]  # fmt: skip
    return made


def _marks(marks: Sequence[Mark], bars: Candles, timeframe: Timeframe) -> list[dict[str, Any]]:
    """Return a series a kind, each mark over the bar in which it happened."""
    if not bars.ts:
        return []
    first, last = bars.ts[0], bars.ts[-1] + timeframe.seconds
    return [
        {
            "id": kind.value, "name": kind.value, "type": "scatter", **_SHAPES[kind],
            "data": [
                {"value": [_over(mark, timeframe) * 1000, mark.price], "says": mark.says}
                for mark in marks
                if mark.kind is kind and first <= mark.at <= last
            ],
        }
        for kind in MarkKind
    ]  # fmt: skip


def _over(mark: Mark, timeframe: Timeframe) -> int:
    """Return the open of the bar that a mark belongs to; a decision at a close belongs to the bar that closed."""
    at = mark.at - 1 if mark.kind is MarkKind.SIGNAL else mark.at
    return int(at // timeframe.seconds) * timeframe.seconds

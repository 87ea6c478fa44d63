"""Candles that move with the market: whole once, then only what has changed."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from tracker.store.pages.market import Candles

from services.dashboard.charts.candles import MOST_BARS, candle_rows, last_price, volume_rows
from services.dashboard.elements.sent_chart import SentChart

# The browser has the bars already: they are put together there, so that a bar costs a line and not the whole chart.
_TAIL_JS = """(() => {
  const chart = getElement(%(id)d).chart, fresh = %(fresh)s, had = chart.getOption().series || [];
  const joined = (id) => {
    const old = (had.find((each) => each.id === id) || { data: [] }).data, from = fresh[id][0][0];
    return old.filter((row) => row[0] < from).concat(fresh[id]).slice(-%(most)d);
  };
  return { series: [{ id: 'candles', data: joined('candles'), markLine: fresh.last },
    { id: 'volume', data: joined('volume') }] };
})()"""


class CandleChart(SentChart):
    """A chart of candles; `draw_bars` replaces it, `follow` moves its end."""

    def __init__(self, height: int) -> None:
        """Take a place on the page; nothing is drawn yet. Height in pixels."""
        super().__init__(height)
        self._bars = Candles()

    def draw_bars(self, bars: Candles, options: dict[str, Any]) -> None:
        """Draw another chart in the place of this one, its view and all."""
        self.draw(options)
        self._bars = bars

    def follow(self, bars: Candles) -> bool:
        """Show what has come since; return False where more has changed than the end, so that it must be drawn."""
        if self.chart is None or not continues(self._bars, bars):
            return False
        if bars != self._bars:
            since = self._bars.ts[-1]
            fresh = {
                "candles": candle_rows(bars, since), "volume": volume_rows(bars, since),
                "last": last_price(bars.close[-1]),
            }  # fmt: skip
            self.update_series(_TAIL_JS % {"id": self.chart.id, "fresh": json.dumps(fresh), "most": MOST_BARS})
        self._bars = bars
        return True


def continues(before: Candles, after: Candles) -> bool:
    """Tell whether bars are the same as before but for the last of them and what came after it."""
    if not before.ts or not after.ts or after.ts[0] not in before.ts or after.ts[-1] < before.ts[-1]:
        return False
    offset = before.ts.index(after.ts[0])
    kept = len(before) - offset - 1
    return after.ts[kept] == before.ts[-1] and all(
        getattr(before, each.name)[offset:-1] == getattr(after, each.name)[:kept] for each in fields(before)
    )

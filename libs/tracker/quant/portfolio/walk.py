"""The engine over years: only minutes in which something can happen are stepped through."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tracker.quant.portfolio.book import LiveTrade
from tracker.quant.portfolio.engine import Engine
from tracker.quant.portfolio.series import CandleSeries, next_event, observe_stretch
from tracker.quant.risk_rules import MARK_SECONDS
from tracker.quant.trade import Trade

Progress = Callable[[int], None]


@dataclass(slots=True)
class _Pace:
    """Where a live trade stands: `at` is its next bar, `news` the first one that is not quiet for `trade`."""

    live: LiveTrade
    series: CandleSeries
    at: int
    news: int
    trade: Trade


@dataclass(slots=True)
class Walk:
    """Walks an engine from one moment with a signal or a fill to the next.

    Does what `Engine.run` does minute by minute, without its equity points. `fill_closes` gets for each fill of the
    book the close of the minute in which it was booked, in Unix seconds.
    """

    engine: Engine
    series: Mapping[int, CandleSeries]
    fill_closes: list[int] = field(default_factory=list[int])
    _paces: dict[int, _Pace] = field(default_factory=dict[int, _Pace])
    # What happened before the walk may not have been looked at.
    _unmarked: bool = True

    def run(self, after: int, through: int, progress: Progress | None = None) -> None:
        """Process the minutes in (after, through]; `progress` is told the moments reached."""
        for symbol_id, each in self.series.items():
            self.engine.load(symbol_id, each)
        signals = self.engine.moments()
        self._keep_pace(after)
        while True:
            index = bisect_right(signals, after)
            moments = [*signals[index : index + 1], *self._news(), *self._mark_after(after)]
            minute = min((each for each in moments if each > after), default=through + 1)
            if minute > through:
                break
            self._forward(minute)
            self.engine.step(minute)
            filled = len(self.engine.book.fills) - len(self.fill_closes)
            self.fill_closes += [minute] * filled
            self._unmarked = minute % MARK_SECONDS != 0 and (self._unmarked or filled > 0)
            self._keep_pace(minute)
            if progress is not None:
                progress(minute)
            after = minute
        self._forward(through + 1)

    def _news(self) -> list[int]:
        """Return when the live trades next have news, or give up their entry."""
        paces = self._paces.values()
        bars = [int(each.series.closes[each.news]) for each in paces if each.news < len(each.series)]
        return bars + [each.live.trade.entry_until for each in paces if each.live.trade.entry_rest > 0.0]

    def _mark_after(self, moment: int) -> list[int]:
        """Return when the account is looked at next: while it is flat, it is worth what it was the last time."""
        if not self.engine.marking or not (self.engine.book.live or self._unmarked):
            return []
        return [(moment // MARK_SECONDS + 1) * MARK_SECONDS]

    def _forward(self, minute: int) -> None:
        """Take in the quiet bars that close before `minute`."""
        for pace in self._paces.values():
            stop = min(pace.series.index_from(minute), pace.news)
            if stop > pace.at:
                last = observe_stretch(pace.live.trade, pace.series, pace.at, stop)
                pace.live.see(last, int(pace.series.closes[stop - 1]))
                pace.at = stop

    def _keep_pace(self, minute: int) -> None:
        """Look ahead anew for the trades that this minute was news for."""
        paces: dict[int, _Pace] = {}
        for live in self.engine.book.live:
            pace = self._paces.get(id(live))
            if pace is None:
                series = self.series[live.instrument.symbol_id]
                pace = _Pace(live, series, series.index_from(minute + 1), -1, live.trade)
            elif pace.at < len(pace.series) and int(pace.series.closes[pace.at]) == minute:
                pace.at += 1
            # A fill or a command makes the floats of a trade anew.
            if pace.news < pace.at or pace.trade is not live.trade:
                pace.news = next_event(live.trade, pace.series, pace.at)
                pace.trade = live.trade
            paces[id(live)] = pace
        self._paces = paces

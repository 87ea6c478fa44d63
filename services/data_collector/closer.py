"""Decides when a minute is complete."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tracker.domain.bar import Bar
from tracker.domain.timeframe import Timeframe

STEP = Timeframe.M1.duration
# A symbol that has been silent for longer does not hold up the minutes of the others.
LIVE_WITHIN = timedelta(minutes=15)


@dataclass(slots=True)
class MinuteCloser:
    """Closes a minute when later bars came, when every live symbol reported, or when the grace has passed.

    Works on the bars' own time; the local clock only times the grace, from the first bar of a
    minute on, so that replayed and caught-up minutes close by the same rule as live ones.
    """

    grace_seconds: float
    high_water: datetime | None = None
    first_open: datetime | None = None
    _first_seen: float = 0.0
    _reported: set[str] = field(default_factory=set[str])
    _last_close: dict[str, datetime] = field(default_factory=dict[str, datetime])

    def expect(self, symbols: Iterable[str], moment: datetime) -> None:
        """Hold the first minutes for symbols that have not reported yet, as long as for one that fell silent."""
        for symbol in symbols:
            self._last_close.setdefault(symbol, moment)

    def saw(self, bars: Iterable[Bar], monotonic: float) -> None:
        """Take note of bars in the order in which they came."""
        for bar in bars:
            closes_at = bar.closes_at
            if self.first_open is None or bar.ts < self.first_open:
                self.first_open = bar.ts
            last = self._last_close.get(bar.symbol)
            if last is None or closes_at > last:
                self._last_close[bar.symbol] = closes_at
            if self.high_water is None or closes_at > self.high_water:
                self.high_water = closes_at
                self._first_seen = monotonic
                self._reported.clear()
            if closes_at == self.high_water:
                self._reported.add(bar.symbol)

    def closed_through(self, monotonic: float) -> datetime | None:
        """Return the moment up to which every bucket is complete, None before the first is."""
        if self.high_water is None or self.first_open is None:
            return None
        if self._everyone_reported() or monotonic - self._first_seen >= self.grace_seconds:
            return self.high_water
        earlier = self.high_water - STEP
        return earlier if earlier > self.first_open else None

    def seconds_to_grace(self, monotonic: float) -> float:
        """Return how long until the newest minute closes by grace."""
        return max(0.0, self.grace_seconds - (monotonic - self._first_seen))

    def _everyone_reported(self) -> bool:
        assert self.high_water is not None  # noqa: S101 - checked by the caller
        horizon = self.high_water - LIVE_WITHIN
        return all(
            symbol in self._reported for symbol, closes_at in self._last_close.items() if closes_at >= horizon
        )

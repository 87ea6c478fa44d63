"""How far the ledger may go: no further than the bars are complete and the strategies have looked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tracker.domain.clock import Clock
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.store.bars import Watermark
from tracker.store.paper import ScanWatermark

MINUTE = timedelta(minutes=1)


def bars_bound(
    watermarks: Mapping[Timeframe, Watermark], base_timeframes: Collection[Timeframe]
) -> datetime | None:
    """Return the last minute whose bars are all complete, or None where nothing is collected yet.

    Every bar length that some symbol has as its finest counts; between two of its closes nothing is missing.
    """
    moments = [
        _last_minute(watermarks[each].closed_through, each) for each in base_timeframes if each in watermarks
    ]
    return min(moments, default=None)


def finest_watermark(watermarks: Mapping[Timeframe, Watermark]) -> Watermark | None:
    """Return the watermark of the shortest bars there are."""
    return min(watermarks.values(), key=lambda each: each.timeframe.seconds, default=None)


@dataclass(slots=True)
class ScanPatience:
    """Waits for the scanners, but not for ever for one that stands still.

    A scanner that was given up is waited for again once it has caught up with the ledger. Only the waiting
    is remembered here: what is decided depends on the database alone.
    """

    strategies: tuple[Strategy, ...]
    grace_seconds: float | None
    clock: Clock
    given_up: set[Strategy] = field(default_factory=set[Strategy])
    _seen: dict[Strategy, datetime | None] = field(default_factory=dict[Strategy, datetime | None])
    _since: dict[Strategy, float] = field(default_factory=dict[Strategy, float])

    def bound(
        self, scans: Mapping[Strategy, ScanWatermark], processed: datetime, wanted: datetime
    ) -> datetime | None:
        """Return the last minute up to `wanted` that every strategy waited for has scanned.

        None where one of them has not begun.
        """
        bounds: list[datetime | None] = [wanted]
        for strategy in self.strategies:
            mark = scans.get(strategy)
            reached = None if mark is None else _last_minute(mark.closed_through, mark.timeframe)
            if self._is_waited_for(strategy, reached, processed, wanted):
                bounds.append(reached)
        reached_by_all = [each for each in bounds if each is not None]
        return min(reached_by_all) if len(reached_by_all) == len(bounds) else None

    def _is_waited_for(
        self, strategy: Strategy, reached: datetime | None, processed: datetime, wanted: datetime
    ) -> bool:
        if strategy in self.given_up and reached is not None and reached >= processed:
            self.given_up.discard(strategy)
            self._since.pop(strategy, None)
        blocks = reached is None or reached < wanted
        now = self.clock.monotonic()
        if not blocks or self._seen.get(strategy) != reached:
            self._seen[strategy] = reached
            self._since[strategy] = now
        waited = now - self._since.setdefault(strategy, now)
        if blocks and self.grace_seconds is not None and waited >= self.grace_seconds:
            self.given_up.add(strategy)
        return strategy not in self.given_up


def _last_minute(closed_through: datetime, timeframe: Timeframe) -> datetime:
    """Return the last minute before the next close of a timeframe."""
    return closed_through + timeframe.duration - MINUTE

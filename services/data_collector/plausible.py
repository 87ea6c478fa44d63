"""Bars that are possible in themselves, but not now or not after the bar before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tracker.domain.bar import Bar
from tracker.domain.clock import Clock
from tracker.domain.errors import FeedAuthError, FeedError

from services.data_collector.buffer import Item
from services.data_collector.rest_bars import rejection_of

# No coin moves twenty-fold from one minute to the next; a misplaced decimal point does.
LARGEST_JUMP = 20.0
# After a longer silence a jump says nothing.
JUMP_WITHIN = timedelta(hours=1)
# The vendor's clock is known to the second, and its answer takes a moment.
TOLERANCE = timedelta(seconds=5)


@dataclass(slots=True)
class Plausibility:
    """Turns bars of the future and absurd jumps into rejections.

    Time is the vendor's: where a bar seems early the vendor is asked again, because a simulated clock
    runs at any speed. A jump is believed once REST, which is asked about every rejected bar, says the same:
    a feed that shifts its decimal point does so more than once.
    """

    vendor_now: Callable[[], Awaitable[datetime]]
    clock: Clock
    vendor: str
    _known: datetime | None = None
    _known_at: float = 0.0
    _last: dict[str, tuple[datetime, float]] = field(default_factory=dict[str, tuple[datetime, float]])

    def heard(self, now: datetime) -> None:
        """Take note of the vendor's time."""
        self._known, self._known_at = now, self.clock.monotonic()

    def believed(self, bars: Iterable[Bar]) -> None:
        """Take bars whose truth is known as what later ones are measured by."""
        for bar in bars:
            self._remember(bar)

    async def sift(self, items: Sequence[Item]) -> list[Item]:
        """Return the items with implausible bars as rejections; raises FeedError where the vendor cannot be asked."""
        newest = max((item.closes_at for item in items if isinstance(item, Bar)), default=None)
        if newest is None:
            return list(items)
        limit = self._limit()
        if limit is None or newest > limit:
            limit = await self._ask()
        return [self._judged(item, limit) if isinstance(item, Bar) else item for item in items]

    def _limit(self) -> datetime | None:
        if self._known is None:
            return None
        return self._known + timedelta(seconds=self.clock.monotonic() - self._known_at) + TOLERANCE

    async def _ask(self) -> datetime:
        try:
            now = await self.vendor_now()
        except FeedAuthError as error:
            # The connection's own refusal is what stops the collector.
            raise FeedError(str(error)) from error
        self.heard(now)
        return now + TOLERANCE

    def _judged(self, bar: Bar, limit: datetime) -> Item:
        if bar.closes_at > limit:
            return rejection_of(bar, f"ts is {bar.ts.isoformat()}, a bar that closes in the future", self.vendor)
        known = self._last.get(bar.symbol)
        if known is not None and abs(bar.ts - known[0]) <= JUMP_WITHIN and _far(bar.close, known[1]):
            return rejection_of(
                bar, f"close is {bar.close!r}, an absurd jump from {known[1]!r} before it", self.vendor
            )
        self._remember(bar)
        return bar

    def _remember(self, bar: Bar) -> None:
        known = self._last.get(bar.symbol)
        if known is None or bar.ts >= known[0]:
            self._last[bar.symbol] = (bar.ts, bar.close)


def _far(price: float, other: float) -> bool:
    return price > other * LARGEST_JUMP or price * LARGEST_JUMP < other

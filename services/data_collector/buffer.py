"""The bounded buffer between the feed's reader and the database."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime

from prometheus_client import Counter, Gauge
from tracker.domain.bar import Bar
from tracker.store.gaps import GapCause

from services.data_collector.freshness import Freshness, Item
from services.data_collector.gaps import GapCauses

OVERFLOWS = Counter("tracker_buffer_overflow_total", "Bars dropped from the collector's full buffer")
DEPTH = Gauge("tracker_buffer_depth", "Bars waiting in the collector's buffer")


class BarBuffer:
    """Holds at most `size` items; when full the oldest goes and is remembered for repair from REST."""

    def __init__(self, size: int) -> None:
        """Make an empty buffer."""
        self._items: deque[Item] = deque(maxlen=size)
        self._size = size
        self._lost: dict[str, datetime] = {}
        self._repairing: dict[str, datetime] = {}
        self.causes = GapCauses()
        self._in_hand = 0
        self._progress = asyncio.Event()
        self.freshness = Freshness()
        self.overflowed = 0
        self.received = 0

    def __len__(self) -> int:
        """Number of waiting items."""
        return len(self._items)

    async def settled(self) -> None:
        """Wait until what was received so far is stored or lost: what REST says from then on is the later word."""
        received = self.received
        while self.received - len(self._items) - self._in_hand < received:
            self._progress.clear()
            await self._progress.wait()

    def extend(self, items: Sequence[Item]) -> None:
        """Add items in order, dropping the oldest where there is no room."""
        self.freshness.heard(items)
        for item in items:
            if len(self._items) == self._size:
                self._drop(self._items[0])
            self._items.append(item)
            self.received += 1
        DEPTH.set(len(self._items))

    def drain(self, limit: int) -> list[Item]:
        """Take out up to `limit` of the oldest items."""
        taken = [self._items.popleft() for _ in range(min(limit, len(self._items)))]
        self._in_hand = len(taken)
        DEPTH.set(len(self._items))
        return taken

    def stored(self) -> None:
        """Take note that what was drained last is stored."""
        self._in_hand = 0
        self._progress.set()

    def restore(self, items: Sequence[Item]) -> None:
        """Put back what could not be stored, in front of what came since."""
        self._in_hand = 0
        for item in reversed(items):
            if len(self._items) == self._size:
                self._drop(item)
            else:
                self._items.appendleft(item)
        DEPTH.set(len(self._items))

    def give_up(self, items: Sequence[Item] = ()) -> None:
        """Count everything that waits, and `items`, as lost: what another collector stored since may be newer."""
        for item in (*items, *self._items):
            if isinstance(item, Bar):
                self.mark_lost(item.symbol, item.ts)
        self._items.clear()
        self._in_hand = 0
        self._progress.set()
        DEPTH.set(0)

    def mark_lost(self, symbol: str, since: datetime) -> None:
        """Note that bars of `symbol` that open at `since` or later are missing; they count as lost until repaired."""
        known = self._lost.get(symbol)
        self._lost[symbol] = since if known is None else min(known, since)

    def take_lost(self) -> dict[str, datetime]:
        """Return by symbol from when on bars are missing; they count as lost until `lost_repaired`."""
        for symbol, moment in self._lost.items():
            known = self._repairing.get(symbol)
            self._repairing[symbol] = moment if known is None else min(known, moment)
        self._lost = {}
        return dict(self._repairing)

    def lost_repaired(self) -> None:
        """Forget what the last `take_lost` returned: it is stored now."""
        self._repairing = {}

    @property
    def has_lost(self) -> bool:
        """Tell whether missing bars await their repair."""
        return bool(self._lost or self._repairing)

    def _drop(self, item: Item) -> None:
        self.overflowed += 1
        self._progress.set()
        OVERFLOWS.inc()
        if isinstance(item, Bar):
            self.mark_lost(item.symbol, item.ts)
            self.causes.note(GapCause.OVERFLOW, item.ts, item.closes_at, item.symbol)

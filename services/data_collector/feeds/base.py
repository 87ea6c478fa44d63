"""What the collector needs of a vendor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import Timeframe
from tracker.store.bars import BarTable

from services.data_collector.buffer import Item

Sink: TypeAlias = Callable[[Iterable[Item]], None]


class Feed(Protocol):
    """A vendor's stream and history."""

    @property
    def vendor(self) -> str:
        """Name of the vendor."""
        ...

    @property
    def trouble(self) -> str | None:
        """What the vendor's REST interface fails with just now, in one sentence; None while it answers."""
        ...

    async def supported(self, instruments: Sequence[Instrument]) -> dict[str, str]:
        """Return for each symbol the vendor does not know the reason why it is left out."""
        ...

    async def now(self) -> datetime:
        """Return the vendor's own time."""
        ...

    async def stream(
        self, instruments: Sequence[Instrument], sink: Sink, subscribed: Callable[[], Awaitable[None]]
    ) -> None:
        """Connect, subscribe, call `subscribed`, then hand every bar to `sink` until the connection ends.

        Raises FeedError (try again) or FeedAuthError (do not).
        """
        ...

    def reach(self, timeframe: Timeframe) -> timedelta | None:
        """Return how far back `history` can go, None where it has no limit."""
        ...

    async def history(
        self, instrument: Instrument, timeframe: Timeframe, first: datetime, end: datetime
    ) -> BarTable:
        """Return the closed bars that open in [first, end), ascending."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...

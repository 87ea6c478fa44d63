"""A clock that stands still until it is told to move."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(slots=True)
class FixedClock:
    """Returns `moment` until `advance` is called."""

    moment: datetime
    elapsed: float = 0.0

    def now(self) -> datetime:
        """Return the set moment."""
        return self.moment

    def monotonic(self) -> float:
        """Return the seconds advanced so far."""
        return self.elapsed

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self.moment += timedelta(seconds=seconds)
        self.elapsed += seconds

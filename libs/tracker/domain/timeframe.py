"""Bar lengths and the arithmetic of buckets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Timeframe(StrEnum):
    """A bar length; its value is how it is written in the database and in file names."""

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    H1 = "1h"
    D1 = "1d"

    @property
    def seconds(self) -> int:
        """Length in seconds."""
        return _SECONDS[self]

    @property
    def duration(self) -> timedelta:
        """Length as a timedelta."""
        return timedelta(seconds=_SECONDS[self])

    def floor(self, moment: datetime) -> datetime:
        """Return the open of the bucket that holds `moment` (buckets start at the Unix epoch)."""
        return EPOCH + (moment - EPOCH) // self.duration * self.duration

    def close_of(self, open_time: datetime) -> datetime:
        """Return the exclusive end of the bar that opens at `open_time`."""
        return open_time + self.duration

    @classmethod
    def of_seconds(cls, seconds: int) -> Timeframe | None:
        """Return the timeframe of that length, or None where there is none."""
        return _BY_SECONDS.get(seconds)


_SECONDS: dict[Timeframe, int] = {
    Timeframe.M1: 60,
    Timeframe.M5: 300,
    Timeframe.M15: 900,
    Timeframe.H1: 3_600,
    Timeframe.D1: 86_400,
}
_BY_SECONDS: dict[int, Timeframe] = {seconds: frame for frame, seconds in _SECONDS.items()}

"""A bar of trades, and what makes one impossible."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tracker.domain.timeframe import Timeframe


class BarSource(StrEnum):
    """How a bar reached the database."""

    STREAM = "stream"
    REST = "rest"
    ROLLUP = "rollup"
    IMPORT = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Open, high, low, close and volume of one symbol over one bucket.

    `ts` is the bucket's open (UTC); prices are in quote currency, `volume` in base currency;
    `vwap` is NaN and `trades` 0 where the vendor does not say.
    """

    symbol: str
    timeframe: Timeframe
    ts: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float = math.nan
    trades: int = 0
    source: BarSource = BarSource.STREAM

    @property
    def closes_at(self) -> datetime:
        """Exclusive end of the bucket."""
        return self.ts + self.timeframe.duration

    def defect(self) -> str | None:
        """Return why this bar cannot be true, naming field and value, or None where it can."""
        for name in ("open", "high", "low", "close"):
            value: float = getattr(self, name)
            if not math.isfinite(value) or value <= 0:
                return f"{name} is {value!r}, a price must be a finite number above 0"
        if not math.isfinite(self.volume) or self.volume < 0:
            return f"volume is {self.volume!r}, it must be a finite number of at least 0"
        if self.high < max(self.open, self.close, self.low):
            return f"high is {self.high!r}, below the bar's own open, close or low"
        if self.low > min(self.open, self.close):
            return f"low is {self.low!r}, above the bar's own open or close"
        if self.ts != self.timeframe.floor(self.ts):
            return f"ts is {self.ts.isoformat()}, not the start of a {self.timeframe} bucket"
        return None

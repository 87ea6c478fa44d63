"""Notices what a connection that looks well has not delivered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tracker.domain.bar import Bar

# A symbol silent for longer may have lost its subscription.
SILENT_AFTER = timedelta(minutes=15)


@dataclass(slots=True)
class GapWatch:
    """Follows the closes of the stream's bars.

    A moment at which the whole feed sent nothing is a loss. One symbol's hole is only a doubt: a minute
    without trades is not sent, and REST tells the one from the other.
    """

    step: timedelta
    high: datetime | None = None
    _last: dict[str, datetime] = field(default_factory=dict[str, datetime])
    _doubtful: dict[str, datetime] = field(default_factory=dict[str, datetime])
    _compared: dict[str, datetime] = field(default_factory=dict[str, datetime])

    def covered(self, symbols: Iterable[str], through: datetime) -> None:
        """Take note that REST was asked for what these symbols have that closes by `through`.

        It may lag behind the stream, so the newest bar is doubted, and compared once more later on.
        """
        self.high = through if self.high is None else max(self.high, through)
        for symbol in symbols:
            settled = through - self.step
            self._last[symbol] = max(settled, self._last.get(symbol, settled))

    def saw(self, bars: Iterable[Bar]) -> datetime | None:
        """Take note of bars in order; return since when the whole feed missed something, None where it did not."""
        hole: datetime | None = None
        for bar in bars:
            if self.high is not None and bar.closes_at - self.high > self.step:
                hole = hole or self.high
            if self.high is None or bar.closes_at > self.high:
                self.high = bar.closes_at
            last = self._last.get(bar.symbol)
            if last is not None and bar.ts > last:
                self._doubtful.setdefault(bar.symbol, last)
            self._last[bar.symbol] = bar.closes_at if last is None else max(last, bar.closes_at)
        return hole

    def silent(self) -> list[str]:
        """Return the symbols of which nothing has come for long although the feed goes on."""
        if self.high is None:
            return []
        return sorted(symbol for symbol, last in self._last.items() if self.high - last > SILENT_AFTER)

    def take_doubtful(self) -> dict[str, datetime]:
        """Return since when each symbol with a hole or a long silence must be compared with REST."""
        quiet = {symbol: self._last[symbol] for symbol in self.silent()}
        taken = {symbol: max(since, self._compared.get(symbol, since)) for symbol, since in quiet.items()}
        taken |= self._doubtful
        self._doubtful = {}
        return taken

    def compared(self, symbols: Iterable[str], through: datetime) -> None:
        """Take note how far symbols have been compared with REST."""
        self._compared |= dict.fromkeys(symbols, through)

    def put_back(self, doubtful: dict[str, datetime]) -> None:
        """Doubt again what could not be compared."""
        for symbol, since in doubtful.items():
            self._doubtful[symbol] = min(since, self._doubtful.get(symbol, since))

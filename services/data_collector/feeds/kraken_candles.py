"""Says when a candle that Kraken keeps sending is closed: the stream itself does not."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from tracker.domain.bar import Bar
from tracker.store.bars import Rejection

from services.data_collector.buffer import Item


class ExchangeTime:
    """The exchange's time between its messages, which a heartbeat does not tell: the last one told plus the wait."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._told: datetime | None = None
        self._told_at = 0.0

    def told(self, moment: datetime, monotonic: float) -> None:
        """Take note of a time the exchange stated; a message that took longer says nothing new."""
        known = self.at(monotonic)
        if known is None or moment > known:
            self._told, self._told_at = moment, monotonic

    def at(self, monotonic: float) -> datetime | None:
        """Return the exchange's time at a moment of the local monotonic clock, None before it stated any."""
        if self._told is None:
            return None
        return self._told + timedelta(seconds=monotonic - self._told_at)


class KrakenCandles:
    """The candle of each symbol that is still open.

    One connection's. A candle is closed by a later one of its symbol, or by the exchange's time plus
    `grace`; what changes it afterwards is handed on again as a correction.
    """

    def __init__(self, grace: timedelta) -> None:
        """Know nothing yet."""
        self._grace = grace
        self._began: datetime | None = None
        self._open: dict[str, Bar] = {}
        self._closed: dict[str, Bar] = {}

    def began(self, moment: datetime) -> None:
        """Take note of when the connection was subscribed; candles that closed before are left to REST."""
        self._began = self._began or moment

    def take(self, bars: Iterable[Bar | Rejection]) -> list[Item]:
        """Take candles in as they stand and return those that are closed by them."""
        closed: list[Item] = []
        ordered = sorted((bar for bar in bars if isinstance(bar, Bar)), key=lambda bar: bar.ts)
        for bar in ordered:
            current, before = self._open.get(bar.symbol), self._closed.get(bar.symbol)
            if before is not None and bar.ts <= before.ts:
                if bar != before:
                    closed.extend(self._close(bar))
            elif current is not None and bar.ts < current.ts:
                closed.extend(self._close(bar))
            else:
                if current is not None and bar.ts > current.ts:
                    closed.extend(self._close(current))
                self._open[bar.symbol] = bar
        return closed

    def due(self, now: datetime) -> list[Item]:
        """Return the candles that are closed by the exchange's time."""
        over = [bar for bar in self._open.values() if bar.closes_at + self._grace <= now]
        return [each for bar in over for each in self._close(bar)]

    def _close(self, bar: Bar) -> list[Item]:
        before = self._closed.get(bar.symbol)
        if before is None or bar.ts >= before.ts:
            self._closed[bar.symbol] = bar
        if self._open.get(bar.symbol) == bar:
            del self._open[bar.symbol]
        # A minute without trades is no bar, here as with every vendor.
        wanted = (bar.trades > 0 or bar.volume > 0) and (self._began is None or bar.closes_at > self._began)
        return [bar] if wanted else []

"""Notices what a connection that looks well has not delivered, and remembers why bars may be missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tracker.domain.bar import Bar
from tracker.store.gaps import CauseSpan, GapCause

# A symbol silent for longer may have lost its subscription.
SILENT_AFTER = timedelta(minutes=15)


@dataclass(slots=True)
class GapWatch:
    """Follows the closes of the stream's bars.

    A moment at which the whole feed sent nothing is a loss, to be made good before anything closes. One symbol's hole
    is not: a minute without trades is not sent, and the ledger has REST tell the one from the other.
    """

    step: timedelta
    high: datetime | None = None
    _last: dict[str, datetime] = field(default_factory=dict[str, datetime])

    def covered(self, symbols: Iterable[str], through: datetime) -> None:
        """Take note that REST was asked for what these symbols have that closes by `through`."""
        self.high = through if self.high is None else max(self.high, through)
        for symbol in symbols:
            self._last[symbol] = max(through, self._last.get(symbol, through))

    def saw(self, bars: Iterable[Bar]) -> datetime | None:
        """Take note of bars in order; return since when the whole feed missed something, None where it did not."""
        hole: datetime | None = None
        for bar in bars:
            if self.high is not None and bar.closes_at - self.high > self.step:
                hole = hole or self.high
            if self.high is None or bar.closes_at > self.high:
                self.high = bar.closes_at
            last = self._last.get(bar.symbol)
            self._last[bar.symbol] = bar.closes_at if last is None else max(last, bar.closes_at)
        return hole

    def silent(self) -> list[str]:
        """Return the symbols of which nothing has come for long although the feed goes on."""
        if self.high is None:
            return []
        return sorted(symbol for symbol, last in self._last.items() if self.high - last > SILENT_AFTER)


@dataclass(slots=True)
class GapCauses:
    """Why bars of a span may be missing, until the span is declared complete; one span for each cause and symbol."""

    _spans: dict[tuple[GapCause, str | None], tuple[datetime, datetime]] = field(
        default_factory=dict[tuple[GapCause, str | None], tuple[datetime, datetime]]
    )

    def note(self, cause: GapCause, first: datetime, end: datetime, symbol: str | None = None) -> None:
        """Remember a cause for [first, end), of one symbol or of all."""
        known = self._spans.get((cause, symbol), (first, end))
        self._spans[cause, symbol] = (min(first, known[0]), max(end, known[1]))

    def known(self, symbol_ids: Mapping[str, int]) -> list[CauseSpan]:
        """Return the causes, those of single symbols first, then the newest."""
        noted = [(key, span) for key, span in self._spans.items() if key[1] is None or key[1] in symbol_ids]
        noted.reverse()
        noted.sort(key=lambda each: each[0][1] is None)
        return [
            CauseSpan(
                cause=cause, starts_at=first, ends_at=end, symbol_id=None if symbol is None else symbol_ids[symbol]
            )
            for (cause, symbol), (first, end) in noted
        ]

    def forget(self, through: datetime) -> None:
        """Drop what concerns only bars before `through`, for the ledger knows it now."""
        self._spans = {key: span for key, span in self._spans.items() if span[1] > through}


def around(
    first: datetime, end: datetime, excluded: Sequence[datetime], step: timedelta
) -> Iterator[tuple[datetime, datetime]]:
    """Yield the parts of [first, end) without the buckets of length `step` that open at `excluded`."""
    at = first
    for moment in sorted(set(excluded)):
        if moment + step <= at or moment >= end:
            continue
        if moment > at:
            yield at, moment
        at = moment + step
    if at < end:
        yield at, end

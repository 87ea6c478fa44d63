"""What a market is to the rest of the exchange: listings, minutes to stream, bars to serve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.market_simulator.bars import Bars
from services.market_simulator.wire import Frame, Message, minute_bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A symbol and the vendor's names for it; `decimals` is how finely a VWAP is quoted."""

    symbol: str
    stream: str
    rest: str
    name: str
    decimals: int

    @property
    def currencies(self) -> tuple[str, str]:
        """Base and quote currency."""
        base, _, quote = self.symbol.partition("-")
        return base, quote


def bar_message(listing: Listing, bars: Bars, index: int, start: int, span: int) -> Message:
    """Return one bar of a block as an XA message."""
    _, opened, high, low, closed, volume, vwap, trades = bars.table[:, index].tolist()
    return minute_bar(
        listing.stream, start, span, (opened, high, low, closed, volume),
        round(vwap, listing.decimals), trades,
    )


class Market(Protocol):
    """Bars of all listed symbols; all times are epoch seconds."""

    @property
    def listings(self) -> Mapping[str, Listing]:
        """Listings by REST ticker."""
        ...

    @property
    def first(self) -> int | None:
        """Open of the first bar there is, None where the market has no end."""
        ...

    @property
    def last(self) -> int | None:
        """Close of the last bar there is, None where the market has no end."""
        ...

    def frames(self, after: int, through: int) -> Iterator[Frame]:
        """Yield a frame for each moment in (after, through] at which bars close, in order."""
        ...

    def source_span(self, symbol: str, span: int) -> int | None:
        """Return the length of the bars that bars of `span` seconds are made of, None where none do."""
        ...

    def rows(self, symbol: str, source_span: int, start: int, end: int) -> Bars:
        """Return the source bars with start <= ts < end, or only the earlier part of a long stretch.

        A result that stops early stops at a day's end; `chunk_seconds` says after how long.
        """
        ...

    def broken(self, symbol: str, span: int, start: int, end: int) -> Sequence[tuple[int, bytes]]:
        """Return the rows of that length with start <= ts < end that hold no numbers: ts and JSON, in order of time."""
        ...

    @property
    def chunk_seconds(self) -> int:
        """Longest stretch to ask `rows` for at once."""
        ...

    def correct(self, symbol: str, before: int, count: int) -> Sequence[Frame]:
        """Change the last `count` bars of a symbol that closed by `before`, and return them as frames."""
        ...

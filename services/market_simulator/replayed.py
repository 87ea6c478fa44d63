"""A market made of candle files: sends what they say, as they say it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray
from tracker.domain.errors import InputError
from tracker.runtime.candles import BadRow, CandleSeries, candle_files, merge_candles, read_candles

from services.market_simulator.bars import TS, Bars, Floats, empty_bars
from services.market_simulator.corrections import corrected
from services.market_simulator.market import Listing, bar_message
from services.market_simulator.wire import Frame, Message, minute_bar

# A candle file knows no VWAP: the typical price stands in, quoted no finer than any price here.
_DECIMALS = 12


@dataclass(frozen=True, slots=True)
class _Tape:
    """One symbol's rows of one length: `sent` in order of time as written, `served` the last word on each."""

    listing: Listing
    span: int
    sent: Bars
    served: Bars
    bad: tuple[BadRow, ...]

    def message(self, row: int) -> Message:
        """Return the XA message of a row, or of bad row -1 - row."""
        if row >= 0:
            return bar_message(self.listing, self.sent, row, int(self.sent.table[TS, row]), self.span)
        bad = self.bad[-1 - row]
        assert bad.ts is not None  # noqa: S101 - only rows with a time are on the tape
        opened, high, low, closed, volume = (_as_written(text) for text in bad.raw)
        message = minute_bar(self.listing.stream, bad.ts, self.span, (opened, high, low, closed, 0), 0, 0)
        return message | {"v": volume}


@dataclass(frozen=True, slots=True)
class ReplayedMarket:
    """Candles of several symbols and lengths; a bar is streamed when it closes, finer lengths first."""

    listings: Mapping[str, Listing]
    tapes: tuple[_Tape, ...]
    closes: NDArray[np.int64]
    tape_of: NDArray[np.int16]
    row_of: NDArray[np.int64]
    chunk_seconds: int = 1 << 40

    @property
    def first(self) -> int | None:
        """Open of the first candle."""
        opens = [int(tape.sent.ts[0]) for tape in self.tapes if len(tape.sent)]
        return min(opens, default=None)

    @property
    def last(self) -> int | None:
        """Close of the last candle."""
        return int(self.closes[-1]) if len(self.closes) else None

    def frames(self, after: int, through: int) -> Iterator[Frame]:
        """Yield the frames with a close in (after, through]."""
        at, end = np.searchsorted(self.closes, (after, through), side="right").tolist()
        while at < end:
            close = int(self.closes[at])
            stop = int(np.searchsorted(self.closes, close, side="right"))
            yield Frame(close, tuple(self._message(index) for index in range(at, stop)))
            at = stop

    def source_span(self, symbol: str, span: int) -> int | None:
        """Return `span` where the files have it, else the finest length that divides it."""
        spans = [tape.span for tape in self.tapes if tape.listing.symbol == symbol]
        return span if span in spans else min((each for each in spans if span % each == 0), default=None)

    def rows(self, symbol: str, source_span: int, start: int, end: int) -> Bars:
        """Return the candles of that length with start <= ts < end."""
        tape = self._tape(symbol, source_span)
        return tape.served.between(start, end) if tape is not None else empty_bars()

    def broken(self, symbol: str, span: int, start: int, end: int) -> Sequence[tuple[int, bytes]]:
        """Return the rows of that length that hold no numbers, where no other row says what they should."""
        tape = self._tape(symbol, span)
        if tape is None:
            return ()
        rows = {row.ts: row for row in tape.bad if row.ts is not None and start <= row.ts < end}
        return [(ts, _json_row(ts, rows[ts])) for ts in sorted(rows) if not np.any(tape.served.ts == ts)]

    def correct(self, symbol: str, before: int, count: int) -> Sequence[Frame]:
        """Change the last `count` bars (of the finest length) that closed by `before`, for good."""
        tape = min((t for t in self.tapes if t.listing.symbol == symbol), key=lambda t: t.span, default=None)
        if tape is None:
            return []
        end = int(np.searchsorted(tape.served.ts, before - tape.span, side="right"))
        frames: list[Frame] = []
        for index in range(max(0, end - count), end):
            column = corrected(tape.served.table[:, index])
            tape.served.table[:, index] = column
            start = int(column[TS])
            tape.sent.table[:, tape.sent.ts == start] = column.reshape(8, 1)
            message = bar_message(tape.listing, tape.served, index, start, tape.span)
            frames.append(Frame(start + tape.span, (message,)))
        return frames

    def _message(self, index: int) -> Message:
        return self.tapes[int(self.tape_of[index])].message(int(self.row_of[index]))

    def _tape(self, symbol: str, span: int) -> _Tape | None:
        return next((t for t in self.tapes if t.listing.symbol == symbol and t.span == span), None)


def _json_row(ts: int, row: BadRow) -> bytes:
    opened, high, low, closed, volume = (_as_written(text) for text in row.raw)
    return orjson.dumps({
        "v": volume, "vw": 0, "o": opened, "c": closed, "h": high, "l": low, "t": ts * 1000, "n": 0
    })


def _as_written(text: str) -> float | str:
    # What is a number goes out as one: only the broken cell of a row is broken on the wire.
    try:
        value = float(text)
    except ValueError:
        return text
    return value if np.isfinite(value) else text


def replayed_market(path: Path, symbols: Sequence[str] = ()) -> ReplayedMarket:
    """Read the candle files of a folder, or the one file.

    Raises InputError naming file, field and value where one cannot be read, and where there are no candles.
    """
    groups: dict[tuple[str, int], list[CandleSeries]] = {}
    for file in candle_files(path, symbols):
        series = read_candles(file)
        groups.setdefault((series.symbol, series.timeframe.seconds), []).append(series)
    tapes = tuple(_tape(merge_candles(parts)) for _, parts in sorted(groups.items()))
    if not any(len(tape.sent) for tape in tapes):
        raise InputError(f"candles: {path} holds no candle")
    closes, tape_of, row_of = _schedule(tapes)
    listings = {tape.listing.rest: tape.listing for tape in tapes}
    return ReplayedMarket(listings, tapes, closes, tape_of, row_of)


def _tape(series: CandleSeries) -> _Tape:
    base, _, quote = series.symbol.partition("-")
    listing = Listing(
        symbol=series.symbol, stream=series.symbol, rest=f"X:{base}{quote}", name=base, decimals=_DECIMALS
    )
    sent = Bars(_table(series))
    newest = np.append(np.diff(series.ts) != 0, True)[: len(series)]
    bad = tuple(row for row in series.bad_rows if row.ts is not None and len(row.raw) == 5)
    return _Tape(listing, series.timeframe.seconds, sent, Bars(sent.table[:, newest].copy()), bad)


def _table(series: CandleSeries) -> Floats:
    typical = (series.h + series.l + series.c) / 3
    opened = series.ts.astype(np.float64)
    return np.array(
        [opened, series.o, series.h, series.l, series.c, series.v, typical, np.zeros(len(series))]
    )


def _schedule(
    tapes: Iterable[_Tape],
) -> tuple[NDArray[np.int64], NDArray[np.int16], NDArray[np.int64]]:
    closes: list[NDArray[np.int64]] = []
    tape_of: list[NDArray[np.int16]] = []
    row_of: list[NDArray[np.int64]] = []
    spans: list[NDArray[np.int64]] = []
    for number, tape in enumerate(tapes):
        bad = np.array([row.ts for row in tape.bad], dtype=np.int64)
        closes.append(np.concatenate([tape.sent.ts.astype(np.int64), bad]) + tape.span)
        row_of.append(np.concatenate([np.arange(len(tape.sent)), -1 - np.arange(len(bad))]))
        tape_of.append(np.full(len(closes[-1]), number, dtype=np.int16))
        spans.append(np.full(len(closes[-1]), tape.span, dtype=np.int64))
    close, tape_index = np.concatenate(closes), np.concatenate(tape_of)
    order = np.lexsort((tape_index, np.concatenate(spans), close))
    return close[order], tape_index[order], np.concatenate(row_of)[order]

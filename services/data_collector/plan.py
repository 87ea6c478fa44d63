"""Which pieces of history are still to fetch, cut where the calendar says and not where a run happened to begin."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import Timeframe
from tracker.store.backfill import Chunk

# Months in a chunk: longer requests make the vendor's servers time out, and a partition holds one month.
CHUNK_MONTHS = {Timeframe.M1: 1, Timeframe.M5: 3, Timeframe.M15: 6, Timeframe.H1: 24, Timeframe.D1: 120}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The bars of one timeframe that open in [begin, end)."""

    timeframe: Timeframe
    begin: datetime
    end: datetime

    def overlaps(self, chunk: Chunk) -> bool:
        """Tell whether a chunk holds any of these bars."""
        return chunk.timeframe is self.timeframe and chunk.starts_at < self.end and chunk.ends_at > self.begin


def span_of(timeframe: Timeframe, days: float, now: datetime) -> Span:
    """Return the span of the last `days`; minutes begin with a whole 5m bucket, which is built from them."""
    step = Timeframe.M5 if timeframe is Timeframe.M1 else timeframe
    end = timeframe.floor(now)
    return Span(timeframe=timeframe, begin=step.floor(end - timedelta(days=days)), end=end)


def missing_chunks(
    instruments: Sequence[Instrument], spans: Iterable[Span], known: Iterable[Chunk]
) -> Iterator[Chunk]:
    """Yield chunks for what the known ones leave out of the spans; a symbol has no bars finer than its base."""
    planned: dict[tuple[int, Timeframe], list[Chunk]] = {}
    for chunk in known:
        planned.setdefault((chunk.symbol_id, chunk.timeframe), []).append(chunk)
    for span in spans:
        for each in instruments:
            if each.base_timeframe.seconds > span.timeframe.seconds:
                continue
            for begin, end in _gaps(span, planned.get((each.symbol_id, span.timeframe), [])):
                yield from _cut(each, span.timeframe, begin, end)


def before_known(
    instruments: Sequence[Instrument], spans: Iterable[Span], known: Iterable[Chunk]
) -> Iterator[Chunk]:
    """Yield chunks for what the spans hold before each symbol's first known chunk.

    What comes after it was collected live or is the repair's work.
    """
    begun: dict[tuple[int, Timeframe], datetime] = {}
    for chunk in known:
        key = (chunk.symbol_id, chunk.timeframe)
        begun[key] = min(chunk.starts_at, begun.get(key, chunk.starts_at))
    for span in spans:
        for each in instruments:
            end = min(span.end, begun.get((each.symbol_id, span.timeframe), span.end))
            if each.base_timeframe.seconds <= span.timeframe.seconds:
                yield from _cut(each, span.timeframe, span.begin, end)


def expected_bars(chunks: Iterable[Chunk]) -> int:
    """Return how many bars chunks would hold if every bucket had one."""
    return sum(round((each.ends_at - each.starts_at) / each.timeframe.duration) for each in chunks)


def outstanding(chunks: Iterable[Chunk], symbols: Mapping[str, object], spans: Iterable[Span]) -> list[Chunk]:
    """Return the chunks of these symbols in the spans that are still to fetch, in their order."""
    by_timeframe = {span.timeframe: span for span in spans}
    return [
        each
        for each in chunks
        if not each.done and each.symbol in symbols and by_timeframe[each.timeframe].overlaps(each)
    ]


def _gaps(span: Span, chunks: Iterable[Chunk]) -> Iterator[tuple[datetime, datetime]]:
    at = span.begin
    for chunk in sorted((each for each in chunks if span.overlaps(each)), key=lambda each: each.starts_at):
        if chunk.starts_at > at:
            yield at, chunk.starts_at
        at = max(at, chunk.ends_at)
    if at < span.end:
        yield at, span.end


def _cut(instrument: Instrument, timeframe: Timeframe, begin: datetime, end: datetime) -> Iterator[Chunk]:
    while begin < end:
        last = min(end, _next_cut(timeframe, begin))
        yield Chunk(
            symbol_id=instrument.symbol_id,
            symbol=instrument.symbol,
            timeframe=timeframe,
            starts_at=begin,
            ends_at=last,
        )
        begin = last


def _next_cut(timeframe: Timeframe, moment: datetime) -> datetime:
    months = CHUNK_MONTHS[timeframe]
    count = moment.year * 12 + moment.month - 1
    year, month = divmod((count // months + 1) * months, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)

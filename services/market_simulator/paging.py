"""One page of aggregates: which bars, and where the next page starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.market_simulator.bars import Bars, empty_bars, joined
from services.market_simulator.market import Market

DAY, MINUTE = 86_400, 60
# A page of daily bars looks at no more than this many days: a day costs its 1,440 minutes to make.
_MOST_DAYS = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Bars of `span` seconds with start <= open < end; `limit` counts base aggregates.

    The vendor's base is the minute for minutes and hours, the day for days.
    """

    symbol: str
    span: int
    start: int
    end: int
    limit: int
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Bars in order of time, how many base aggregates they were made of, and the bound of the next page.

    `resume` is the next page's start (end where descending), None on the last page. `broken` are rows that hold no
    numbers, beyond the limit.
    """

    bars: Bars
    base_count: int
    resume: int | None
    broken: Sequence[tuple[int, bytes]] = ()


def read_page(market: Market, wanted: Range) -> Page:
    """Return the first page of a range."""
    source_span = market.source_span(wanted.symbol, wanted.span)
    if source_span is None or wanted.start >= wanted.end:
        return Page(empty_bars(), 0, None)
    limit = _source_limit(wanted, source_span)
    rows = _collect(market, wanted, source_span, limit)
    resume: int | None = None
    if len(rows) > limit:
        rows, resume = (_cut_last if wanted.descending else _cut_first)(rows, wanted, limit)
    base_count = len(rows) * source_span // _base_seconds(wanted)
    if source_span != wanted.span:
        return Page(rows.rolled(wanted.span), max(base_count, 1), resume)
    low, high = wanted.start, wanted.end
    if resume is not None:
        low, high = (resume, high) if wanted.descending else (low, resume)
    return Page(rows, max(base_count, 1), resume, market.broken(wanted.symbol, source_span, low, high))


def _base_seconds(wanted: Range) -> int:
    return DAY if wanted.span % DAY == 0 else MINUTE


def _source_limit(wanted: Range, source_span: int) -> int:
    most = _MOST_DAYS if wanted.span % DAY == 0 else wanted.limit
    asked = min(wanted.limit, most) * _base_seconds(wanted) // source_span
    # A bucket is never split between pages: one that alone exceeds the limit is served whole.
    return max(asked, wanted.span // source_span, 1)


def _collect(market: Market, wanted: Range, source_span: int, limit: int) -> Bars:
    """Read on from the page's near end until there are more than `limit` rows."""
    parts: list[Bars] = []
    count, step = 0, market.chunk_seconds
    low, high = wanted.start, wanted.end
    while low < high and count <= limit:
        if wanted.descending:
            low_chunk, high_chunk = max(low, (high - 1) // step * step), high
            high = low_chunk
        else:
            low_chunk, high_chunk = low, min(high, (low // step + 1) * step)
            low = high_chunk
        part = market.rows(wanted.symbol, source_span, low_chunk, high_chunk)
        count += len(part)
        parts.append(part)
    return joined(parts[::-1] if wanted.descending else parts)


def _cut_first(rows: Bars, wanted: Range, limit: int) -> tuple[Bars, int]:
    resume = int(rows.ts[limit]) // wanted.span * wanted.span
    return rows.between(wanted.start, resume), resume


def _cut_last(rows: Bars, wanted: Range, limit: int) -> tuple[Bars, int]:
    resume = (int(rows.ts[len(rows) - limit - 1]) // wanted.span + 1) * wanted.span
    return rows.between(resume, wanted.end), resume

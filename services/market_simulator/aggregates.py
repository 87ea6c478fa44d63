"""The aggregates request: its parameters, its cursor and its body."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

import orjson
from starlette.requests import Request

from services.market_simulator.market import Listing, Market
from services.market_simulator.paging import DAY, Page, Range, read_page

_SPANS = {"minute": 60, "hour": 3_600, "day": DAY}
_DEFAULT_LIMIT, _LARGEST_LIMIT = 5_000, 50_000


class RequestError(Exception):
    """The request makes no sense; the message goes into the body of the 400."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A request for aggregates; bounds in epoch milliseconds, both inclusive."""

    ticker: str
    multiplier: int
    timespan: str
    start_ms: int
    end_ms: int
    limit: int
    descending: bool
    adjusted: bool

    @property
    def span(self) -> int:
        """Length of a bar in seconds."""
        return self.multiplier * _SPANS[self.timespan]


def parse_query(request: Request) -> Query:
    """Read path, query and cursor; raises RequestError."""
    path = request.path_params
    options = dict(request.query_params)
    options |= _decoded(options.get("cursor"))
    multiplier, limit = path["multiplier"], options.get("limit", str(_DEFAULT_LIMIT))
    if path["timespan"] not in _SPANS:
        raise RequestError(f"unknown timespan {path['timespan']!r}, use minute, hour or day")
    if not _is_count(multiplier) or int(multiplier) > 10_000:
        raise RequestError(f"the multiplier must be a whole number from 1 to 10000, not {multiplier!r}")
    if not _is_count(limit):
        raise RequestError(f"limit must be a whole number of at least 1, not {limit!r}")
    start, end = _bound(path["start"], last=False), _bound(path["end"], last=True)
    if start > end:
        raise RequestError("'to' must not lie before 'from'")
    return Query(
        ticker=path["ticker"], multiplier=int(multiplier), timespan=path["timespan"], start_ms=start,
        end_ms=end, limit=min(int(limit), _LARGEST_LIMIT), descending=options.get("sort") == "desc",
        adjusted=options.get("adjusted", "true").lower() != "false",
    )


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text[:9])


def _bound(text: str, *, last: bool) -> int:
    """Return milliseconds; of a date the first or the last one."""
    if text.isascii() and text.isdigit() and len(text) <= 14:
        return int(text)
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise RequestError(f"could not parse the time {text!r}, use YYYY-MM-DD or milliseconds") from None
    return int(day.timestamp() + (DAY if last else 0)) * 1000 - (1 if last else 0)


def aggregates_body(
    market: Market, listing: Listing | None, query: Query, closed_through: int, base_url: str, request_id: str
) -> bytes:
    """Return the JSON body with the bars that closed by `closed_through` (epoch seconds)."""
    span = query.span
    start = query.start_ms // 1000 // span * span
    end = min(query.end_ms // 1000 + 1, closed_through)
    rows: list[bytes] = []
    page, count = None, 0
    if listing is not None and start < end:
        wanted = Range(
            symbol=listing.symbol, span=span, start=start, end=_bucket_end(end, span), limit=query.limit,
            descending=query.descending,
        )
        page = read_page(market, wanted)
        rows, count = _rows(listing, wanted, page), len(page.bars) + len(page.broken)
    counts = {
        "ticker": query.ticker, "queryCount": page.base_count if page else 0, "resultsCount": count,
        "adjusted": query.adjusted,
    }
    tail: dict[str, str | int] = {"status": "OK", "request_id": request_id, "count": count}
    if page is not None and page.resume is not None:
        tail["next_url"] = base_url + _next_path(query, page.resume)
    results = [b',"results":[', b",".join(rows), b"]"] if count else []
    return b"".join([orjson.dumps(counts)[:-1], *results, b",", orjson.dumps(tail)[1:]])


def _bucket_end(end: int, span: int) -> int:
    return -(-end // span) * span


def _rows(listing: Listing, wanted: Range, page: Page) -> list[bytes]:
    pieces = page.bars.json_rows(listing.decimals)
    if not wanted.descending and not page.broken:
        return pieces
    single = [row if row.endswith(b"}") else row + b"}" for piece in pieces for row in piece.split(b"},") if row]
    if page.broken:
        timed = [*zip(page.bars.ts.tolist(), single, strict=True), *page.broken]
        single = [row for _, row in sorted(timed, key=lambda each: each[0])]
    return single[::-1] if wanted.descending else single


def _next_path(query: Query, resume: int) -> str:
    start, end = query.start_ms, query.end_ms
    if query.descending:
        end = resume * 1000 - 1
    else:
        start = resume * 1000
    options = urlencode({
        "adjusted": str(query.adjusted).lower(), "limit": query.limit,
        "sort": "desc" if query.descending else "asc",
    })
    cursor = base64.urlsafe_b64encode(options.encode()).decode().rstrip("=")
    return (
        f"/v2/aggs/ticker/{query.ticker}/range/{query.multiplier}/{query.timespan}/{start}/{end}"
        f"?cursor={cursor}"
    )


def _decoded(cursor: str | None) -> Mapping[str, str]:
    if cursor is None:
        return {}
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise RequestError("the cursor cannot be read") from None
    return dict(parse_qsl(text))

"""The vendor's REST endpoints."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

import orjson
from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.market_simulator.aggregates import Query, RequestError, aggregates_body, parse_query
from services.market_simulator.clock import ExchangeClock
from services.market_simulator.faults import FaultKind, FaultLedger
from services.market_simulator.market import Listing, Market
from services.market_simulator.paging import DAY, Range, read_page

REQUESTS = Counter("market_simulator_requests_total", "REST requests by status code", ["status"])

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]

_NOT_ENTITLED = "You are not entitled to this data. Please upgrade your plan at https://polygon.io/pricing"
_TOO_MANY = (
    "You've exceeded the maximum requests per minute, please wait or upgrade your subscription to continue."
    " https://polygon.io/pricing"
)
_LARGEST_TICKER_PAGE = 1000


@dataclass(slots=True)
class Rest:
    """Answers from the market, but only with bars that have closed at the clock."""

    market: Market
    clock: ExchangeClock
    ledger: FaultLedger
    accepts: Callable[[str], bool]
    _limited: int = 0

    def routes(self) -> list[Route]:
        """Return the routes of the vendor's paths."""
        handlers: dict[str, Handler] = {
            "/v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{start}/{end}": self._aggregates,
            "/v2/aggs/grouped/locale/{locale}/market/{market}/{date}": self._grouped,
            "/v3/reference/tickers": self._tickers,
            "/v1/marketstatus/now": self._status,
        }
        return [Route(path, self._guarded(handler), methods=["GET"]) for path, handler in handlers.items()]

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            await self._hesitate(request)
            response = self._refusal(request)
            if response is None:
                try:
                    response = await handler(request)
                except RequestError as error:
                    response = _error(400, {"status": "ERROR", "error": str(error)})
            REQUESTS.labels(str(response.status_code)).inc()
            return response

        return guarded

    async def _hesitate(self, request: Request) -> None:
        if (fault := self.ledger.strike(FaultKind.SLOW_ANSWER)) is not None:
            await asyncio.sleep(fault.order.delay_seconds)
        if self.ledger.strike(FaultKind.NO_ANSWER) is not None:
            while (await request.receive())["type"] != "http.disconnect":
                continue

    def _refusal(self, request: Request) -> Response | None:
        if self.ledger.strike(FaultKind.RATE_LIMIT) is not None:
            self._limited += 1
            # The vendor's 429 often has no body at all.
            return Response(status_code=429) if self._limited % 2 == 0 else _error(
                429, {"status": "ERROR", "error": _TOO_MANY}
            )
        if self.ledger.strike(FaultKind.SERVER_ERROR) is not None:
            return _error(500, {"status": "ERROR", "error": "Internal server error"})
        if self.ledger.strike(FaultKind.EMPTY_BODY) is not None:
            return Response(status_code=200, media_type="application/json")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        key = token if scheme.lower() == "bearer" else request.query_params.get("apiKey", "")
        if not self.accepts(key):
            return _error(401, {"status": "ERROR", "error": "Unknown API Key"})
        return None

    async def _aggregates(self, request: Request) -> Response:
        query = parse_query(request)
        if not query.ticker.startswith("X:"):
            return _error(403, {"status": "NOT_AUTHORIZED", "message": _NOT_ENTITLED})
        base = f"{request.url.scheme}://{request.url.netloc}"
        listing = self.market.listings.get(query.ticker)
        body = aggregates_body(self.market, listing, query, self._closed_through(query), base, _request_id())
        return Response(body, media_type="application/json")

    def _closed_through(self, query: Query) -> int:
        now = self.clock.now()
        return 0 if now is None else int(now) // query.span * query.span

    async def _grouped(self, request: Request) -> Response:
        if request.path_params["market"] != "crypto":
            return _error(403, {"status": "NOT_AUTHORIZED", "message": _NOT_ENTITLED})
        try:
            day = datetime.strptime(request.path_params["date"], "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise RequestError("could not parse the date, use YYYY-MM-DD") from None
        start, now = int(day.timestamp()), self.clock.now()
        rows = [] if now is None or start + DAY > now else [
            row for each in self.market.listings.values() if (row := self._day_of(each, start)) is not None
        ]
        counts = {"queryCount": len(rows), "resultsCount": len(rows), "adjusted": True}
        return _answer(counts | {"status": "OK", "count": len(rows)} | ({"results": rows} if rows else {}))

    def _day_of(self, listing: Listing, start: int) -> dict[str, Any] | None:
        bars = read_page(
            self.market, Range(symbol=listing.symbol, span=DAY, start=start, end=start + DAY, limit=1)
        ).bars
        if not len(bars):
            return None
        ts, opened, high, low, closed, volume, vwap, trades = bars.table[:, 0].tolist()
        return {
            "T": listing.rest, "v": volume, "vw": round(vwap, listing.decimals), "o": opened, "c": closed,
            "h": high, "l": low, "t": int(ts) * 1000, "n": int(trades),
        }

    async def _tickers(self, request: Request) -> Response:
        parameters = request.query_params
        after = parameters.get("cursor", "")
        limit = _whole(parameters.get("limit", "100"), "limit", _LARGEST_TICKER_PAGE)
        wanted, text = parameters.get("ticker"), parameters.get("search", "").lower()
        known = sorted(self.market.listings) if parameters.get("market", "crypto") == "crypto" else []
        descending = parameters.get("order") == "desc"
        found = [
            ticker for ticker in (reversed(known) if descending else known)
            if wanted in (None, "", ticker) and text in (ticker + self.market.listings[ticker].name).lower()
            and (not after or (ticker < after if descending else ticker > after))
        ]
        page = found[:limit]
        body: dict[str, Any] = {"results": [self._reference(each) for each in page], "status": "OK",
                                "count": len(page)}
        if len(found) > limit:
            following = request.url.remove_query_params("apiKey").include_query_params(cursor=page[-1])
            body["next_url"] = str(following)
        return _answer(body)

    def _reference(self, ticker: str) -> dict[str, Any]:
        listing = self.market.listings[ticker]
        base, quote = listing.currencies
        quote_name = "United States Dollar" if quote == "USD" else quote
        now = self.clock.now()
        return {
            "ticker": ticker, "name": f"{listing.name} - {quote_name}", "market": "crypto",
            "locale": "global", "active": True, "currency_symbol": quote, "currency_name": quote_name,
            "base_currency_symbol": base, "base_currency_name": listing.name,
            "last_updated_utc": None if now is None else _iso(now),
        }

    async def _status(self, request: Request) -> Response:
        del request
        now = self.clock.now()
        closed = {"nyse": "closed", "nasdaq": "closed", "otc": "closed"}
        return Response(orjson.dumps({
            "afterHours": False, "earlyHours": False, "market": "closed", "exchanges": closed,
            "currencies": {"crypto": "open", "fx": "closed"},
            "serverTime": None if now is None else _iso(now).replace("Z", "+00:00"),
        }), media_type="application/json")


def _whole(text: str, name: str, largest: int) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise RequestError(f"{name} must be a whole number of at least 1, not {text!r}")
    return min(int(text), largest)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _request_id() -> str:
    return uuid.uuid4().hex


def _answer(body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body | {"request_id": _request_id()}), media_type="application/json")


def _error(code: int, body: dict[str, Any]) -> Response:
    return Response(
        orjson.dumps(body | {"request_id": _request_id()}), status_code=code, media_type="application/json"
    )

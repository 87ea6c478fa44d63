"""Polygon's REST interface: reference tickers, server time and aggregates."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import numpy as np
import orjson
from tracker.domain.clock import Clock
from tracker.domain.errors import FeedAuthError, FeedError, TrackerError
from tracker.domain.timeframe import Timeframe
from tracker.store.bars import BarTable

from services.data_collector.feeds.polygon_aggregates import Rows, bar_table, read_body, rows_of, unreadable
from services.data_collector.feeds.rest import VendorRest
from services.data_collector.settings import CollectorSettings

PAGE_LIMIT = 50_000
_UNITS = {
    Timeframe.M1: (1, "minute"),
    Timeframe.M5: (5, "minute"),
    Timeframe.M15: (15, "minute"),
    Timeframe.H1: (1, "hour"),
    Timeframe.D1: (1, "day"),
}


class PolygonRest(VendorRest):
    """Asks the host of the settings with the key of the settings."""

    def __init__(
        self, settings: CollectorSettings, clock: Clock, client: httpx.AsyncClient | None = None
    ) -> None:
        """Make a client of the host in the settings."""
        super().__init__(settings.polygon_rest_url, settings, clock, client)
        # A client takes a key in a header: a URL with a key in it ends up in logs.
        self._headers = {"Authorization": f"Bearer {settings.polygon_api_key.get_secret_value()}"}

    def headers(self) -> dict[str, str]:
        """Return the key."""
        return self._headers

    def refusal(self, response: httpx.Response) -> TrackerError | None:
        """Return FeedAuthError where the key is refused, with what the vendor says to it."""
        if response.status_code not in (401, 403):
            return super().refusal(response)
        return FeedAuthError(
            f"{self.base} refused the key (HTTP {response.status_code}, {_complaint(response)}):"
            " set POLYGON_API_KEY to a key that is entitled to crypto data"
        )

    def decode(self, content: bytes) -> Any:
        """Return the body, with bars as columns."""
        return read_body(content)

    def judge(self, body: Any) -> Any:
        """Return the body; raises FeedError where it is no object."""
        if not isinstance(body, dict):
            raise FeedError(f"{self.base} answered what is not a JSON object: {str(body)[:200]!r}")
        return body

    async def now(self) -> datetime:
        """Return the vendor's time."""
        # Who asks for the time wants it now: no waiting while the vendor is given a rest.
        self.check()
        body = await self.get("/v1/marketstatus/now")
        stated = body.get("serverTime")
        try:
            moment = datetime.fromisoformat(str(stated))
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise FeedError(f"{self.base} says serverTime = {stated!r}, which is no time")
        return moment

    async def tickers(self) -> set[str]:
        """Return every crypto ticker the vendor knows."""
        found: set[str] = set()
        async for page in self._pages("/v3/reference/tickers", {"market": "crypto", "limit": "1000"}):
            found.update(row["ticker"] for row in page.get("results", []))
        return found

    async def aggregates(self, ticker: str, timeframe: Timeframe, first: datetime, end: datetime) -> BarTable:
        """Return the bars that open in [first, end)."""
        multiplier, unit = _UNITS[timeframe]
        start_ms, end_ms = round(first.timestamp() * 1000), round(end.timestamp() * 1000) - 1
        path = f"/v2/aggs/ticker/{ticker}/range/{multiplier}/{unit}/{start_ms}/{end_ms}"
        pages, why = list[Rows](), dict[int, str]()
        parameters = {"adjusted": "true", "sort": "asc", "limit": str(PAGE_LIMIT)}
        async for page in self._pages(path, parameters):
            pages.append(rows_of(page.get("results")))
            why |= unreadable(page.get("results"))
        return bar_table(np.concatenate(pages), why)

    async def _pages(self, path: str, parameters: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
        following: str | None = path
        while following is not None:
            page = await self.get(following, parameters)
            yield page
            following, parameters = page.get("next_url"), {}


def _complaint(response: httpx.Response) -> str:
    body = _said(response.content)
    said = str(body.get("error") or body.get("message") or response.reason_phrase)
    return said[:200].rstrip(". ")


def _said(content: bytes) -> dict[str, Any]:
    try:
        body: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}

"""Polygon's REST interface: reference tickers, server time and aggregates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import numpy as np
import orjson
from prometheus_client import Counter, Gauge
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random_exponential
from tracker.domain.clock import Clock
from tracker.domain.errors import FeedAuthError, FeedError, FeedRateLimitError
from tracker.domain.timeframe import Timeframe
from tracker.runtime.retry import Circuit, CircuitBreaker
from tracker.store.bars import BarTable

from services.data_collector.settings import CollectorSettings

REQUESTS = Counter("tracker_vendor_requests_total", "Requests to the vendor's REST interface", ["outcome"])
BREAKER_OPEN = Gauge("tracker_vendor_breaker_open", "1 while the vendor is given a rest")
RETRYABLE_STATUS = frozenset({429, 499, 500, 502, 503, 504})
PAGE_LIMIT = 50_000
_UNITS = {
    Timeframe.M1: (1, "minute"),
    Timeframe.M5: (5, "minute"),
    Timeframe.M15: (15, "minute"),
    Timeframe.H1: (1, "hour"),
    Timeframe.D1: (1, "day"),
}


class PolygonRest:
    """Asks politely: paced, retried with back-off, and not at all while the circuit is open."""

    def __init__(
        self, settings: CollectorSettings, clock: Clock, client: httpx.AsyncClient | None = None
    ) -> None:
        """Make a client of the host in the settings."""
        self._settings = settings
        self._client = client or httpx.AsyncClient(timeout=60)
        self._base = settings.polygon_rest_url.rstrip("/")
        self._breaker = CircuitBreaker(
            clock, threshold=settings.breaker_threshold, cool_down=settings.breaker_cool_down_seconds
        )
        self._clock = clock
        self._next_slot = 0.0
        # A client takes a key in a header: a URL with a key in it ends up in logs.
        self._headers = {"Authorization": f"Bearer {settings.polygon_api_key.get_secret_value()}"}

    async def now(self) -> datetime:
        """Return the vendor's time."""
        body = await self._get(f"{self._base}/v1/marketstatus/now", {})
        stated = body.get("serverTime")
        try:
            return datetime.fromisoformat(str(stated))
        except (TypeError, ValueError):
            raise FeedError(f"{self._base} says serverTime = {stated!r}, which is no time") from None

    async def tickers(self) -> set[str]:
        """Return every crypto ticker the vendor knows."""
        found: set[str] = set()
        url = f"{self._base}/v3/reference/tickers"
        async for page in self._pages(url, {"market": "crypto", "limit": "1000"}):
            found.update(row["ticker"] for row in page.get("results", []))
        return found

    async def aggregates(self, ticker: str, timeframe: Timeframe, first: datetime, end: datetime) -> BarTable:
        """Return the bars that open in [first, end)."""
        multiplier, unit = _UNITS[timeframe]
        start_ms, end_ms = round(first.timestamp() * 1000), round(end.timestamp() * 1000) - 1
        url = f"{self._base}/v2/aggs/ticker/{ticker}/range/{multiplier}/{unit}/{start_ms}/{end_ms}"
        pages: list[np.ndarray[Any, np.dtype[np.float64]]] = []
        parameters = {"adjusted": "true", "sort": "asc", "limit": str(PAGE_LIMIT)}
        async for page in self._pages(url, parameters):
            rows = page.get("results", [])
            if rows:
                pages.append(
                    np.array(
                        [
                            (
                                r["t"],
                                r["o"],
                                r["h"],
                                r["l"],
                                r["c"],
                                r["v"],
                                r.get("vw", np.nan),
                                r.get("n", 0),
                            )
                            for r in rows
                        ],
                        dtype=np.float64,
                    )
                )
        columns = np.concatenate(pages).T if pages else np.empty((8, 0))
        return BarTable(
            ts=(columns[0] // 1000).astype(np.int64),
            open=columns[1],
            high=columns[2],
            low=columns[3],
            close=columns[4],
            volume=columns[5],
            vwap=columns[6],
            trades=columns[7].astype(np.int32),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _pages(self, url: str, parameters: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
        following: str | None = url
        while following is not None:
            page = await self._get(following, parameters)
            yield page
            following, parameters = page.get("next_url"), {}

    async def _get(self, url: str, parameters: dict[str, str]) -> dict[str, Any]:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(FeedError),
            stop=stop_after_attempt(self._settings.rest_attempts),
            wait=wait_random_exponential(multiplier=0.5, max=self._settings.longest_backoff_seconds),
            reraise=True,
            before_sleep=_count_retry,
        )
        return await retrying(self._attempt, url, parameters)

    async def _attempt(self, url: str, parameters: dict[str, str]) -> dict[str, Any]:
        if self._breaker.state is Circuit.OPEN:
            raise FeedError("the vendor's REST interface is given a rest after repeated failures")
        await self._pace()
        try:
            response = await self._client.get(url, params=parameters or None, headers=self._headers)
        except httpx.HTTPError as error:
            self._failed("unreachable")
            raise FeedError(f"{self._base} cannot be reached: {error!r}") from error
        if response.status_code in RETRYABLE_STATUS:
            self._failed(str(response.status_code))
            kind = FeedRateLimitError if response.status_code == 429 else FeedError
            raise kind(f"{self._base} answered {response.status_code}: {response.text[:200]}")
        if response.status_code in (401, 403):
            REQUESTS.labels(str(response.status_code)).inc()
            raise FeedAuthError(
                f"{self._base} refused the key (HTTP {response.status_code}): {response.text[:200]} "
                "Set POLYGON_API_KEY to a key that is entitled to crypto data."
            )
        if response.status_code != 200:
            REQUESTS.labels(str(response.status_code)).inc()
            raise FeedError(f"{self._base} answered {response.status_code}: {response.text[:200]}")
        self._breaker.succeeded()
        BREAKER_OPEN.set(0)
        REQUESTS.labels("ok").inc()
        return orjson.loads(response.content)

    def _failed(self, outcome: str) -> None:
        REQUESTS.labels(outcome).inc()
        self._breaker.failed()
        BREAKER_OPEN.set(self._breaker.state is Circuit.OPEN)

    async def _pace(self) -> None:
        limit = self._settings.rest_requests_per_minute
        if limit is None:
            return
        now = self._clock.monotonic()
        slot = max(now, self._next_slot)
        self._next_slot = slot + 60.0 / limit
        await asyncio.sleep(slot - now)


def _count_retry(_: RetryCallState) -> None:
    REQUESTS.labels("retried").inc()

"""Polygon's REST interface: reference tickers, server time and aggregates."""

from __future__ import annotations

import asyncio
import math
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

from services.data_collector.feeds.polygon_messages import LARGEST_NUMBER
from services.data_collector.settings import CollectorSettings

REQUESTS = Counter("tracker_vendor_requests_total", "Requests to the vendor's REST interface", ["outcome"])
BREAKER_OPEN = Gauge("tracker_vendor_breaker_open", "1 while the vendor is given a rest")
RETRYABLE_STATUS = frozenset({429, 499, 500, 502, 503, 504})
PAGE_LIMIT = 50_000
LAST_MOMENT_MS = 4_102_444_799_999  # the last second of 2099
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
            moment = datetime.fromisoformat(str(stated))
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise FeedError(f"{self._base} says serverTime = {stated!r}, which is no time")
        return moment

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
            if rows := page.get("results"):
                pages.append(_numbers(rows))
        return _bar_table(np.concatenate(pages) if pages else np.empty((0, 8)))

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
        await self._wait_for_breaker()
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
                f"{self._base} refused the key (HTTP {response.status_code}, {_complaint(response)}):"
                " set POLYGON_API_KEY to a key that is entitled to crypto data"
            )
        if response.status_code != 200:
            REQUESTS.labels(str(response.status_code)).inc()
            raise FeedError(f"{self._base} answered {response.status_code}: {response.text[:200]}")
        body = _json_object(response.content)
        if body is None:
            self._failed("unreadable")
            raise FeedError(f"{self._base} answered what is not a JSON object: {response.text[:200]!r}")
        self._breaker.succeeded()
        BREAKER_OPEN.set(0)
        REQUESTS.labels("ok").inc()
        return body

    async def _wait_for_breaker(self) -> None:
        """Wait the rest out: refusing at once would use up the attempts of everyone who asks meanwhile."""
        while self._breaker.state is Circuit.OPEN and self._breaker.opened_at is not None:
            rest_ends = self._breaker.opened_at + self._breaker.cool_down
            await asyncio.sleep(max(rest_ends - self._clock.monotonic(), 0.01))

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


def _complaint(response: httpx.Response) -> str:
    body = _json_object(response.content) or {}
    said = str(body.get("error") or body.get("message") or response.reason_phrase)
    return said[:200].rstrip(". ")


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        body: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _numbers(rows: list[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return one row of numbers a bar."""
    try:
        return np.array(
            [(r["t"], r["o"], r["h"], r["l"], r["c"], r["v"], r.get("vw", np.nan), r.get("n", 0)) for r in rows],
            dtype=np.float64,
        )
    except (TypeError, ValueError, KeyError, AttributeError):
        return np.array([_repaired_row(row) for row in rows], dtype=np.float64)


def _repaired_row(row: Any) -> tuple[float, ...]:
    """Return a row with NaN for what is no number, for which the bar will be rejected by name and value."""
    facts: dict[str, Any] = row if isinstance(row, dict) else {}
    moment = _number(facts.get("t"))
    prices = (_number(facts.get(name)) for name in ("o", "h", "l", "c", "v", "vw"))
    trades = _number(facts.get("n"))
    return (-1000.0 if math.isnan(moment) else moment, *prices, 0.0 if math.isnan(trades) else trades)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan


def _bar_table(rows: np.ndarray[Any, np.dtype[np.float64]]) -> BarTable:
    columns = rows.T.copy()
    values = columns[1:7]
    values[np.abs(values) > LARGEST_NUMBER] = np.nan
    return BarTable(
        # A moment that is none becomes one at which no bar opens, and is rejected for it.
        ts=(columns[0].clip(-1000, LAST_MOMENT_MS) // 1000).astype(np.int64),
        open=columns[1],
        high=columns[2],
        low=columns[3],
        close=columns[4],
        volume=columns[5],
        vwap=columns[6],
        trades=columns[7].clip(0, 2_147_483_647).astype(np.int32),
    )

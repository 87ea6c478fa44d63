"""A public REST interface without a key: paced, retried with back-off, and left alone while the circuit is open."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import orjson
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_random_exponential
from tracker.domain.clock import Clock
from tracker.domain.errors import FeedAuthError, FeedError, FeedRateLimitError
from tracker.runtime.retry import Circuit, CircuitBreaker

from services.data_collector.feeds.polygon_rest import BREAKER_OPEN, REQUESTS, RETRYABLE_STATUS
from services.data_collector.settings import CollectorSettings


class RequestRefusedError(FeedError):
    """The vendor understood the request and will not answer it."""


class PublicRest:
    """Asks one host for JSON."""

    def __init__(
        self,
        base: str,
        settings: CollectorSettings,
        clock: Clock,
        client: httpx.AsyncClient | None = None,
        *,
        requests_per_minute: float,
    ) -> None:
        """Ask `base`, at most `requests_per_minute` unless the settings say otherwise."""
        self._base = base.rstrip("/")
        self._settings = settings
        self._clock = clock
        self._client = client or httpx.AsyncClient(timeout=60)
        self._interval = 60.0 / (settings.rest_requests_per_minute or requests_per_minute)
        self._breaker = CircuitBreaker(
            clock, threshold=settings.breaker_threshold, cool_down=settings.breaker_cool_down_seconds
        )
        self._next_slot = 0.0

    @property
    def base(self) -> str:
        """The host, for messages."""
        return self._base

    async def get(self, path: str, parameters: dict[str, str] | None = None) -> Any:
        """Return the decoded body.

        Raises RequestRefusedError where asking again would not help, FeedError after the last attempt.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception(_worth_another),
            stop=stop_after_attempt(self._settings.rest_attempts),
            wait=wait_random_exponential(multiplier=0.5, max=self._settings.longest_backoff_seconds),
            reraise=True,
            before_sleep=_count_retry,
        )
        return await retrying(self._attempt, path, parameters or {})

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def rate_limited(self, complaint: str) -> FeedRateLimitError:
        """Count a refusal for too many requests that came in the body, and return it as an error."""
        self._failed("429")
        return FeedRateLimitError(f"{self._base} asks for fewer requests: {complaint}")

    def judge(self, body: Any) -> Any:
        """Return the body, or raise the error it stands for; overridden where errors come with status 200."""
        return body

    async def _attempt(self, path: str, parameters: dict[str, str]) -> Any:
        await self._wait_for_breaker()
        await self._pace()
        try:
            response = await self._client.get(f"{self._base}{path}", params=parameters)
        except httpx.HTTPError as error:
            self._failed("unreachable")
            raise FeedError(f"{self._base} cannot be reached: {error!r}") from error
        self._raise_for(response)
        try:
            body: Any = orjson.loads(response.content)
        except orjson.JSONDecodeError as error:
            self._failed("unreadable")
            raise FeedError(f"{self._base} answered what is not JSON: {response.text[:200]!r}") from error
        body = self.judge(body)
        self._breaker.succeeded()
        BREAKER_OPEN.set(0)
        REQUESTS.labels("ok").inc()
        return body

    def _raise_for(self, response: httpx.Response) -> None:
        status = response.status_code
        if status == 200:
            return
        said = f"{self._base} answered {status}: {response.text[:200]}"
        # A 403 comes from the protection in front of the exchange, and passes like a failure.
        if status in RETRYABLE_STATUS or status == 403:
            self._failed(str(status))
            raise (FeedRateLimitError if status == 429 else FeedError)(said)
        REQUESTS.labels(str(status)).inc()
        if status == 451:
            raise FeedAuthError(f"{self._base} does not serve this country (HTTP 451): choose another --source")
        raise RequestRefusedError(said)

    async def _wait_for_breaker(self) -> None:
        while self._breaker.state is Circuit.OPEN and self._breaker.opened_at is not None:
            rest_ends = self._breaker.opened_at + self._breaker.cool_down
            await asyncio.sleep(max(rest_ends - self._clock.monotonic(), 0.01))

    def _failed(self, outcome: str) -> None:
        REQUESTS.labels(outcome).inc()
        self._breaker.failed()
        BREAKER_OPEN.set(self._breaker.state is Circuit.OPEN)

    async def _pace(self) -> None:
        now = self._clock.monotonic()
        slot = max(now, self._next_slot)
        self._next_slot = slot + self._interval
        await asyncio.sleep(slot - now)


def _worth_another(error: BaseException) -> bool:
    return isinstance(error, FeedError) and not isinstance(error, RequestRefusedError)


def _count_retry(_: RetryCallState) -> None:
    REQUESTS.labels("retried").inc()

"""A vendor's REST interface: paced, retried with back-off, and left alone while the circuit is open."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import orjson
from prometheus_client import Counter
from tracker.domain.clock import Clock
from tracker.domain.errors import FeedAuthError, FeedError, FeedRateLimitError, TrackerError
from tracker.runtime.dependency import Dependency

from services.data_collector.settings import CollectorSettings

REQUESTS = Counter("tracker_vendor_requests_total", "Requests to the vendor's REST interface", ["outcome"])
# A 403 comes from the protection in front of an exchange, and passes like a failure.
RETRYABLE_STATUS = frozenset({403, 429, 499, 500, 502, 503, 504})


class RequestRefusedError(FeedError):
    """The vendor understood the request and will not answer it."""


class VendorRest:
    """Asks one host for JSON; `trouble` is what it fails with just now, None while it answers."""

    def __init__(
        self,
        base: str,
        settings: CollectorSettings,
        clock: Clock,
        client: httpx.AsyncClient | None = None,
        *,
        requests_per_minute: float | None = None,
    ) -> None:
        """Ask `base`, at most `requests_per_minute` unless the settings say otherwise."""
        self.trouble: str | None = None
        self._base = base.rstrip("/")
        self._settings = settings
        self._clock = clock
        self._client = client or httpx.AsyncClient(timeout=settings.rest_timeout_seconds)
        limit = settings.rest_requests_per_minute or requests_per_minute
        self._interval = 60.0 / limit if limit else 0.0
        self._vendor = Dependency("vendor_rest", settings.rest_policy, clock)
        self._next_slot = 0.0

    @property
    def base(self) -> str:
        """The host, for messages."""
        return self._base

    async def get(self, path: str, parameters: dict[str, str] | None = None) -> Any:
        """Return the decoded body of a path below the host, or of a URL that the vendor named.

        Raises RequestRefusedError where asking again would not help, FeedError after the last attempt,
        CircuitOpenError where the vendor is given a rest that lasts longer than the settings' patience.
        """
        url = path if path.startswith(("http://", "https://")) else f"{self._base}{path}"
        retrying = self._vendor.retrying(_worth_another)
        return await retrying(self._attempt, url, parameters)

    def check(self) -> None:
        """Raise CircuitOpenError while the vendor is given a rest, for those who would rather not wait."""
        self._vendor.check(self._base)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def rate_limited(self, complaint: str) -> FeedRateLimitError:
        """Return a refusal for too many requests that came in the body as an error."""
        return FeedRateLimitError(f"{self._base} asks for fewer requests: {complaint}")

    def headers(self) -> dict[str, str]:
        """Return what goes with every request; overridden where there is a key."""
        return {}

    def decode(self, content: bytes) -> Any:
        """Return the JSON of a body, raising orjson.JSONDecodeError where it is none."""
        return orjson.loads(content)

    def judge(self, body: Any) -> Any:
        """Return the body, or raise the error it stands for; overridden where errors come with status 200."""
        return body

    def refusal(self, response: httpx.Response) -> TrackerError | None:
        """Return the error of an answer which asking again would not better; overridden where there is a key."""
        if response.status_code == 451:
            return FeedAuthError(f"{self._base} does not serve this country (HTTP 451): choose another --source")
        if response.status_code == 200 or response.status_code in RETRYABLE_STATUS:
            return None
        return RequestRefusedError(f"{self._base} answered {response.status_code}: {response.text[:200]}")

    async def _attempt(self, url: str, parameters: dict[str, str] | None) -> Any:
        await self._vendor.admitted(self._base, self._settings.breaker_patience_seconds)
        await self._pace()
        try:
            response = await self._client.get(url, params=parameters or None, headers=self.headers())
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            told = str(error) or type(error).__name__
            raise self._failed("unreachable", FeedError(f"{self._base} cannot be reached: {told}")) from error
        if (refusal := self.refusal(response)) is not None:
            # An answer all the same: what is refused is the request, not the vendor's service.
            self._vendor.succeeded()
            REQUESTS.labels(str(response.status_code)).inc()
            raise refusal
        body = self._body_of(response)
        self._vendor.succeeded()
        self.trouble = None
        REQUESTS.labels("ok").inc()
        return body

    def _body_of(self, response: httpx.Response) -> Any:
        status = response.status_code
        if status != 200:
            kind = FeedRateLimitError if status == 429 else FeedError
            raise self._failed(str(status), kind(f"{self._base} answered {status}: {response.text[:200]}"))
        try:
            return self.judge(self.decode(response.content))
        except orjson.JSONDecodeError as error:
            told = FeedError(f"{self._base} answered what is not JSON: {response.text[:200]!r}")
            raise self._failed("unreadable", told) from error
        except RequestRefusedError:
            self._vendor.succeeded()
            REQUESTS.labels("refused").inc()
            raise
        except FeedError as error:
            self._failed("429" if isinstance(error, FeedRateLimitError) else "unreadable", error)
            raise

    def _failed(self, outcome: str, error: FeedError) -> FeedError:
        REQUESTS.labels(outcome).inc()
        self._vendor.failed(outcome)
        self.trouble = str(error)
        return error

    async def _pace(self) -> None:
        now = self._clock.monotonic()
        slot = max(now, self._next_slot)
        self._next_slot = slot + self._interval
        if slot > now:
            await asyncio.sleep(slot - now)


def _worth_another(error: BaseException) -> bool:
    return isinstance(error, FeedError) and not isinstance(error, RequestRefusedError)

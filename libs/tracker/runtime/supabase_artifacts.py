"""Models' bytes in a bucket of Supabase Storage; imported only by processes that are told of one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from httpx import AsyncClient, HTTPError
from storage3 import AsyncStorageClient
from storage3.exceptions import StorageApiError

from tracker.domain.clock import SystemClock
from tracker.domain.errors import ArtifactUnavailableError, CircuitOpenError, ModelError
from tracker.runtime.artifacts import ArtifactSettings
from tracker.runtime.dependency import Dependency
from tracker.runtime.retry import Policy

T = TypeVar("T")
# Few and short: a scanner waits for it between two closes, and asks again at the next.
POLICY = Policy(initial_seconds=0.2, longest_seconds=2.0, attempts=4, failures=8, cool_down_seconds=30.0)
TOO_MANY, SERVER_ERROR = 429, 500


class SupabaseArtifacts:
    """A bucket, asked over connections that live as long as one request and its retries."""

    def __init__(self, settings: ArtifactSettings, policy: Policy = POLICY) -> None:
        """Ask nothing yet."""
        self._settings = settings
        self._dependency = Dependency("model_storage", policy, SystemClock())

    async def keep(self, path: str, artifact: bytes) -> None:
        """Write bytes over whatever is there; what was written before is the same, for the path is its hash."""
        options: Any = {"content-type": "application/octet-stream", "upsert": "true"}
        await self._asked(lambda bucket: bucket.upload(path, artifact, options), f"keep {path}")

    async def fetch(self, path: str) -> bytes:
        """Return what is under a path."""
        return await self._asked(lambda bucket: bucket.download(path), f"fetch {path}")

    async def _asked(self, ask: Callable[[Any], Awaitable[T]], what: str) -> T:
        subject = f"bucket {self._settings.bucket} at {self._settings.url}"
        key = self._settings.key.get_secret_value()
        http = AsyncClient(timeout=self._settings.timeout_seconds, follow_redirects=True, http2=True)
        headers = {"apiKey": key, "Authorization": f"Bearer {key}"}
        base = f"{self._settings.url.rstrip('/')}/storage/v1/"
        try:
            self._dependency.check(subject)
            async with AsyncStorageClient(base, headers, http_client=http) as client:
                retrying = self._dependency.retrying(_worth_another)
                return await retrying(self._attempt, ask, client)
        except CircuitOpenError as error:
            raise ArtifactUnavailableError(str(error)) from None
        except HTTPError as error:
            raise ArtifactUnavailableError(f"{subject} could not {what}: {type(error).__name__} {error}") from None
        except StorageApiError as error:
            kind = ArtifactUnavailableError if _worth_another(error) else ModelError
            raise kind(f"{subject} could not {what}: {error.status} {error.message}") from None
        finally:
            await http.aclose()

    async def _attempt(self, ask: Callable[[Any], Awaitable[T]], client: AsyncStorageClient) -> T:
        try:
            found = await ask(client.from_(self._settings.bucket))
        except (HTTPError, StorageApiError) as error:
            # What it refuses it has answered.
            if _worth_another(error):
                self._dependency.failed("failed")
            raise
        self._dependency.succeeded()
        return found


def _worth_another(error: BaseException) -> bool:
    """Tell whether asking again may help: a dropped connection, too many requests, or a server that fails."""
    if isinstance(error, StorageApiError):
        status = int(error.status) if str(error.status).isdecimal() else SERVER_ERROR
        return status >= SERVER_ERROR or status == TOO_MANY
    return isinstance(error, HTTPError)

"""Slack as messages are handed to it: by a bot's token, or by an incoming webhook."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import aiohttp
from pydantic import SecretStr
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient
from tracker.domain.errors import TrackerError

from services.slack_reporter.way import NoAnswerError, NotTakenError, Refusal, RefusedError, Shown

EVENT = "crypto_tracker_message"
# Longer than this a request does not wait by itself: others have the database's connection to wait for.
LONGEST_RATE_LIMIT = 5
# Clocks differ, and Slack's says when a message came.
CLOCKS = timedelta(hours=1)
PAGE, PAGES = 200, 5
T = TypeVar("T")


_SETTINGS = frozenset({
    "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope",
    "no_permission", "channel_not_found", "not_in_channel", "is_archived", "access_denied", "org_login_required",
    "ekm_access_denied", "team_access_not_granted", "restricted_action", "not_allowed_token_type", "no_service",
    "invalid_token", "action_prohibited", "channel_is_archived", "no_active_hooks", "no_team", "team_disabled",
    "enterprise_is_restricted", "channel_type_not_supported", "file_uploads_disabled", "invalid_channel",
})  # fmt: skip
_TARGET = frozenset({
    "message_not_found", "thread_not_found", "cant_update_message", "edit_window_closed", "update_failed",
    "invalid_thread_ts", "cannot_reply_to_message",
})  # fmt: skip
_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "invalid_payload"})
_LATER = frozenset({
    "ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout",
    "message_limit_exceeded", "accesslimited", "team_added_to_org", "rollup_error",
})  # fmt: skip


class _ShortRateLimit(AsyncRateLimitErrorRetryHandler):
    """Waits for a rate limit's end where that is near; else the message waits in the outbox."""

    async def _can_retry_async(self, *, response: Any = None, **more: Any) -> bool:
        limited = await super()._can_retry_async(response=response, **more)
        return limited and _retry_after(response.headers) <= LONGEST_RATE_LIMIT


def _quiet() -> logging.Logger:
    # At DEBUG the library writes addresses, and a webhook's address is the secret itself.
    logger = logging.getLogger("tracker.slack_sdk")
    logger.setLevel(logging.WARNING)
    return logger


@dataclass(frozen=True, slots=True)
class _Call:
    """Says in our errors what went wrong at Slack, without what they may carry: addresses, headers, bodies."""

    what: str

    async def __call__(self, request: Awaitable[T]) -> T:
        try:
            return await request
        except SlackApiError as error:
            raise self._refused(error) from None
        except aiohttp.ClientConnectorError:
            raise NotTakenError(f"{self.what}: Slack cannot be reached") from None
        except TimeoutError:
            raise NoAnswerError(f"{self.what}: Slack did not answer in time") from None
        except (aiohttp.ClientError, OSError, SlackClientError, ValueError) as error:
            raise NoAnswerError(f"{self.what}: the request broke off ({type(error).__name__})") from None

    def _refused(self, error: SlackApiError) -> TrackerError:
        response: Any = error.response
        status: int = getattr(response, "status_code", None) or getattr(response, "status", 0)
        data = getattr(response, "data", None)
        code = data.get("error") if isinstance(data, dict) else None
        headers = getattr(response, "headers", None) or {}
        return self.refused(code, status, _retry_after(headers))

    def refused(self, code: str | None, status: int, retry_after: float) -> TrackerError:
        """Return our error for Slack's."""
        if status == 429 or code in _LATER:
            return NotTakenError(f"{self.what}: Slack asks to wait ({code or status})", retry_after)
        if status >= 500 or code is None:
            return NoAnswerError(f"{self.what}: Slack failed (HTTP {status})")
        kinds = ((_SETTINGS, Refusal.SETTINGS), (_TARGET, Refusal.TARGET), (_BLOCKS, Refusal.BLOCKS))
        kind = next((kind for codes, kind in kinds if code in codes), Refusal.MESSAGE)
        # Slack's codes are words; anything else could be an echo of what was sent.
        word = code if code.replace("_", "").isalnum() and len(code) < 60 else "an unknown error"
        return RefusedError(f"{self.what}: Slack refuses: {word}", kind)


class Bot:
    """By a bot's token: threads, edits, pictures, and messages can be looked for."""

    name = "bot"
    can_edit = True

    def __init__(self, token: SecretStr, channel: str, base_url: str, timeout_seconds: float) -> None:
        """Nothing is asked of Slack yet."""
        self._channel = channel
        self._client = AsyncWebClient(
            token=token.get_secret_value(),
            base_url=base_url,
            timeout=max(1, round(timeout_seconds)),
            # Not the library's own choice, which hands a message over again where the connection broke off.
            retry_handlers=[_ShortRateLimit(max_retry_count=1)],
            logger=_quiet(),
        )

    async def post(self, payload: Mapping[str, Any], mark: Mapping[str, str], thread_ts: str | None) -> Shown:
        """Show a message with its mark as metadata."""
        answer = await _Call("chat.postMessage")(
            self._client.chat_postMessage(
                channel=self._channel, text=payload["text"], blocks=payload.get("blocks"), thread_ts=thread_ts,
                metadata={"event_type": EVENT, "event_payload": dict(mark)}, unfurl_links=False, unfurl_media=False,
            )
        )  # fmt: skip
        return Shown(answer["channel"], answer["ts"])

    async def edit(self, channel: str, ts: str, payload: Mapping[str, Any]) -> Shown:
        """Replace what a message says; its metadata stays."""
        answer = await _Call("chat.update")(
            self._client.chat_update(channel=channel, ts=ts, text=payload["text"], blocks=payload.get("blocks") or [])
        )
        return Shown(answer["channel"], answer["ts"])

    async def picture(self, png: bytes, name: str, title: str) -> Shown:
        """Upload a picture and show it; where Slack does not say."""
        await _Call("files.upload")(
            self._client.files_upload_v2(
                channel=self._channel, content=png, filename=name, title=title, alt_txt=title
            )
        )
        return Shown(self._channel, None)

    async def find(self, mark: Mapping[str, str], since: datetime, thread_ts: str | None) -> Shown | None:
        """Look for a message by its metadata."""
        async for message in self._messages(since, thread_ts):
            metadata: Mapping[str, Any] = message.get("metadata") or {}
            if metadata.get("event_type") == EVENT and metadata.get("event_payload") == dict(mark):
                return Shown(self._channel, message["ts"])
        return None

    async def find_picture(self, name: str, since: datetime) -> Shown | None:
        """Look for a message that shows the file."""
        async for message in self._messages(since, None):
            if any(each.get("name") == name for each in message.get("files") or ()):
                return Shown(self._channel, message["ts"])
        return None

    async def _messages(self, since: datetime, thread_ts: str | None) -> AsyncIterator[Mapping[str, Any]]:
        cursor: str | None = None
        for _ in range(PAGES):
            bounds: dict[str, Any] = {
                "channel": self._channel, "oldest": f"{(since - CLOCKS).timestamp():.6f}", "limit": PAGE,
                "include_all_metadata": True, "cursor": cursor,
            }  # fmt: skip
            if thread_ts is None:
                answer = await _Call("conversations.history")(self._client.conversations_history(**bounds))
            else:
                request = self._client.conversations_replies(ts=thread_ts, **bounds)
                answer = await _Call("conversations.replies")(request)
            messages: Sequence[Mapping[str, Any]] = answer.get("messages") or ()
            for message in messages:
                yield message
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return


class Webhook:
    """By an incoming webhook: messages only, which cannot be looked for."""

    name = "webhook"
    can_edit = False

    def __init__(self, url: SecretStr, timeout_seconds: float) -> None:
        """Nothing is asked of Slack yet."""
        self._client = AsyncWebhookClient(
            url.get_secret_value(),
            timeout=max(1, round(timeout_seconds)),
            retry_handlers=[_ShortRateLimit(max_retry_count=1)],
            logger=_quiet(),
        )

    async def post(self, payload: Mapping[str, Any], mark: Mapping[str, str], thread_ts: str | None) -> Shown:
        """Show a message in the webhook's channel."""
        del mark, thread_ts
        call = _Call("incoming webhook")
        answer = await call(self._client.send(text=payload["text"], blocks=payload.get("blocks") or None))
        if answer.status_code != 200:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            raise call.refused(answer.body.strip() or None, answer.status_code, _retry_after(headers))
        return Shown(None, None)

    async def edit(self, channel: str, ts: str, payload: Mapping[str, Any]) -> Shown:
        """Refused."""
        raise RefusedError("an incoming webhook edits nothing", Refusal.TARGET)

    async def picture(self, png: bytes, name: str, title: str) -> Shown:
        """Refused."""
        raise RefusedError("an incoming webhook takes no pictures", Refusal.MESSAGE)

    async def find(self, mark: Mapping[str, str], since: datetime, thread_ts: str | None) -> Shown | None:
        """Find nothing."""
        return None

    async def find_picture(self, name: str, since: datetime) -> Shown | None:
        """Find nothing."""
        return None


def _retry_after(headers: Mapping[str, Any]) -> float:
    found = next((value for name, value in headers.items() if name.lower() == "retry-after"), "1")
    word = found[0] if isinstance(found, list) else found
    return float(word) if str(word).isdigit() else 1.0

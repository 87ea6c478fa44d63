"""A local Slack: a real HTTP server that speaks the parts of Slack that are used, fails on demand, and keeps it all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from tracker.domain.clock import Clock
from tracker.testing.slack_limits import refusal

TOKEN = "xoxb-made-up-token"  # noqa: S105 - of nothing
CHANNEL = "C0MADEUP01"
WEBHOOK = "/services/T0/B0/made-up-secret"
HANG_SECONDS = 60.0


@dataclass(slots=True)
class Fault:
    """What goes wrong with the next `times` requests whose method begins with `method`.

    `kind`: error (with Slack's `code`), status (with an HTTP `status`), rate_limit, drop (before it is taken), lose
    (taken, and then the connection ends), hang (taken, and never answered), deaf (not taken, and never answered).
    """

    kind: str
    method: str = ""
    times: int = 1
    code: str = ""
    status: int = 500
    retry_after: int = 1


@dataclass(slots=True)
class Shown:
    """A message as people see it; `said` has every text that it ever had, `metadata` what marks it."""

    ts: str
    channel: str
    at: datetime
    said: list[str]
    blocks: list[Any] = field(default_factory=list[Any])
    thread_ts: str | None = None
    metadata: Mapping[str, Any] | None = None
    files: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    by: str = "bot"

    @property
    def text(self) -> str:
        """What it says now."""
        return self.said[-1]


@dataclass(slots=True)
class FakeSlack:
    """One workspace with one channel; `messages` are in the order in which they came."""

    clock: Clock
    address: str = ""
    messages: list[Shown] = field(default_factory=list[Shown])
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    faults: list[Fault] = field(default_factory=list[Fault])
    requests: list[str] = field(default_factory=list[str])
    per_second: int | None = None
    _uploads: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    _posted_at: list[float] = field(default_factory=list[float])

    @property
    def base_url(self) -> str:
        """What takes the place of https://slack.com/api/."""
        return f"{self.address}/api/"

    @property
    def webhook_url(self) -> str:
        """The incoming webhook's address."""
        return f"{self.address}{WEBHOOK}"

    def fail(self, kind: str, method: str = "", **more: Any) -> None:
        """Have the next requests go wrong."""
        self.faults.append(Fault(kind=kind, method=method, **more))

    @property
    def roots(self) -> list[Shown]:
        """What stands in the channel itself."""
        return [each for each in self.messages if each.thread_ts is None]

    def thread(self, root: Shown) -> list[Shown]:
        """Return what stands in a message's thread."""
        return [each for each in self.messages if each.thread_ts == root.ts]

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, or let it go wrong."""
        method = request.path.removeprefix("/api/")
        self.requests.append(method)
        fault = self._next_fault(method)
        if fault is not None and fault.kind in ("drop", "deaf", "status", "rate_limit", "error"):
            return await self._instead(request, fault)
        answer = await self._handled(method, request)
        if fault is not None:
            await self._silence(request, fault)
        return answer

    def _next_fault(self, method: str) -> Fault | None:
        for fault in self.faults:
            if method.startswith(fault.method) and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    async def _instead(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind == "rate_limit":
            headers = {"Retry-After": str(fault.retry_after)}
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        if fault.kind == "status":
            return web.Response(status=fault.status, text="<html>upstream failed</html>", content_type="text/html")
        if fault.kind == "error":
            if request.path.startswith("/api/"):
                return web.json_response({"ok": False, "error": fault.code})
            return web.Response(status=403, text=fault.code)
        await self._silence(request, fault)
        return web.Response()

    async def _silence(self, request: web.Request, fault: Fault) -> None:
        if fault.kind in ("hang", "deaf"):
            await asyncio.sleep(HANG_SECONDS)
        if request.transport is not None:
            request.transport.abort()

    async def _handled(self, method: str, request: web.Request) -> web.StreamResponse:
        if request.path == WEBHOOK:
            return await self._webhook(request)
        if method.startswith("upload/") or request.path.startswith("/upload/"):
            return await self._upload(request)
        if not request.path.startswith("/api/"):
            return web.Response(status=404, text="no_service")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _error("invalid_auth")
        fields = await _fields(request)
        handlers: Mapping[str, Callable[[Mapping[str, Any]], web.Response]] = {
            "chat.postMessage": self._post, "chat.update": self._update, "conversations.history": self._history,
            "conversations.replies": self._replies, "files.getUploadURLExternal": self._upload_url,
            "files.completeUploadExternal": self._complete,
        }  # fmt: skip
        if method not in handlers:
            return _error("unknown_method")
        if fields.get("channel", fields.get("channel_id", CHANNEL)) != CHANNEL:
            return _error("channel_not_found")
        return handlers[method](fields)

    def _post(self, fields: Mapping[str, Any]) -> web.Response:
        error = refusal({"text": fields.get("text"), "blocks": _loaded(fields.get("blocks"))})
        if error is not None:
            return _error(error)
        limited = self._over_the_limit()
        if limited is not None:
            return limited
        thread = fields.get("thread_ts")
        if thread is not None and not any(each.ts == thread for each in self.messages):
            return _error("thread_not_found")
        shown = self._show(
            text=fields.get("text") or "", blocks=_loaded(fields.get("blocks")) or [], thread_ts=thread,
            metadata=_loaded(fields.get("metadata")),
        )  # fmt: skip
        return web.json_response({"ok": True, "channel": CHANNEL, "ts": shown.ts, "message": {"text": shown.text}})

    def _over_the_limit(self) -> web.Response | None:
        if self.per_second is None:
            return None
        now = self.clock.monotonic()
        self._posted_at = [each for each in self._posted_at if now - each < 1]
        if len(self._posted_at) >= self.per_second:
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": "1"})
        self._posted_at.append(now)
        return None

    def _update(self, fields: Mapping[str, Any]) -> web.Response:
        found = next((each for each in self.messages if each.ts == fields.get("ts")), None)
        if found is None:
            return _error("message_not_found")
        error = refusal({"text": fields.get("text"), "blocks": _loaded(fields.get("blocks"))})
        if error is not None:
            return _error(error)
        found.said.append(fields.get("text") or "")
        found.blocks = _loaded(fields.get("blocks")) or []
        return web.json_response({"ok": True, "channel": CHANNEL, "ts": found.ts, "text": found.text})

    def _history(self, fields: Mapping[str, Any]) -> web.Response:
        return _page(list(reversed(self.roots)), fields)

    def _replies(self, fields: Mapping[str, Any]) -> web.Response:
        root = next((each for each in self.messages if each.ts == fields.get("ts")), None)
        if root is None:
            return _error("thread_not_found")
        return _page([root, *self.thread(root)], fields)

    def _upload_url(self, fields: Mapping[str, Any]) -> web.Response:
        number = f"F{len(self._uploads) + 1:06}"
        self._uploads[number] = {"id": number, "name": fields["filename"], "length": int(fields["length"])}
        return web.json_response({"ok": True, "upload_url": f"{self.address}/upload/{number}", "file_id": number})

    async def _upload(self, request: web.Request) -> web.Response:
        number = request.path.rsplit("/", 1)[-1]
        body = await request.read()
        if request.content_type.startswith("multipart/"):
            # As sent, the file is the longest part.
            body = max(body.split(b"\r\n\r\n", 1)[-1:], key=len)
        self.files[number] = body
        return web.Response(text=f"OK - {len(body)}", content_type="text/plain")

    def _complete(self, fields: Mapping[str, Any]) -> web.Response:
        found = _loaded(fields.get("files")) or []
        if any(each["id"] not in self.files for each in found):
            return _error("file_not_found")
        files = [{**self._uploads[each["id"]], "title": each.get("title")} for each in found]
        if fields.get("channel_id"):
            shown = self._show(text=fields.get("initial_comment") or "", thread_ts=fields.get("thread_ts"))
            shown.files = files
        return web.json_response({"ok": True, "files": [{"id": each["id"], "title": each["title"]} for each in files]})

    async def _webhook(self, request: web.Request) -> web.Response:
        body = await request.json()
        error = refusal(body)
        if error is not None:
            return web.Response(status=400, text=error)
        self._show(text=body.get("text") or "", blocks=body.get("blocks") or [], by="webhook")
        return web.Response(text="ok")

    def _show(
        self, *, text: str, blocks: list[Any] | None = None, thread_ts: str | None = None,
        metadata: Mapping[str, Any] | None = None, by: str = "bot",
    ) -> Shown:  # fmt: skip
        at = self.clock.now()
        shown = Shown(
            ts=f"{int(at.timestamp())}.{len(self.messages) + 1:06}", channel=CHANNEL, at=at, said=[text],
            blocks=blocks or [], thread_ts=thread_ts, metadata=metadata, by=by,
        )  # fmt: skip
        self.messages.append(shown)
        return shown


@asynccontextmanager
async def fake_slack(clock: Clock) -> AsyncIterator[FakeSlack]:
    """Yield a workspace on a free port of this machine."""
    slack = FakeSlack(clock)
    app = web.Application(client_max_size=32 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", slack.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        addresses: list[Any] = list(runner.addresses)
        slack.address = f"http://127.0.0.1:{addresses[0][1]}"
        yield slack
    finally:
        await runner.cleanup()


async def _fields(request: web.Request) -> dict[str, Any]:
    found: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        found |= await request.json()
    else:
        found |= dict(await request.post())
    return found


def _loaded(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _error(code: str) -> web.Response:
    return web.json_response({"ok": False, "error": code})


def _page(messages: list[Shown], fields: Mapping[str, Any]) -> web.Response:
    oldest, start = float(fields.get("oldest") or 0), int(fields.get("cursor") or 0)
    found = [each for each in messages if float(each.ts) >= oldest]
    end = start + int(fields.get("limit") or 100)
    with_metadata = str(fields.get("include_all_metadata", "0")).lower() in ("1", "true")
    shown = [_as_told(each, with_metadata=with_metadata) for each in found[start:end]]
    cursor = str(end) if end < len(found) else ""
    return web.json_response({"ok": True, "messages": shown, "response_metadata": {"next_cursor": cursor}})


def _as_told(message: Shown, *, with_metadata: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"type": "message", "ts": message.ts, "text": message.text}
    if message.thread_ts is not None:
        told["thread_ts"] = message.thread_ts
    if message.files:
        told["files"] = message.files
    if with_metadata and message.metadata is not None:
        told["metadata"] = message.metadata
    return told

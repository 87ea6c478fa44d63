"""Stands before every page: which host was asked for, where a request comes from, and who sends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.dashboard.access.sessions import COOKIE, Session, Sessions

SIGN_IN = "/signin"
# What events of a page come in by: websockets, or long polling where they cannot be had.
SOCKET = "/_nicegui_ws"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
READING = ("GET", "HEAD", "OPTIONS")
HEADERS: Mapping[str, str] = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    # The pages' framework compiles templates in the browser; everything comes from here all the same.
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'none'; "
    "base-uri 'self'; form-action 'self'; object-src 'none'",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """`hosts`: names it may be asked by (None: any); `sign_in_to_read`: nothing is shown to strangers."""

    hosts: tuple[str, ...] | None
    sign_in_to_read: bool
    behind_proxy: bool


class Guard:
    """Lets requests through to the pages, or answers in their place."""

    def __init__(self, app: ASGIApp, sessions: Sessions, rules: Rules) -> None:
        """Stand before `app`."""
        self._app = app
        self._sessions = sessions
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or websocket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        session = self._sessions.read(connection.cookies.get(COOKIE, ""))
        refusal = self._refusal(connection, session)
        if refusal is None:
            scope.setdefault("state", {})["session"] = session
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            # Before it was accepted: the browser sees a 403.
            await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
        else:
            await refusal(scope, receive, _with_headers(send))

    def _refusal(self, connection: HTTPConnection, session: Session | None) -> Response | None:
        host = connection.headers.get("host", "")
        if self._rules.hosts is not None and _name(host) not in self._rules.hosts:
            return PlainTextResponse("This page is not served under that name: see DASHBOARD_HOSTS.", status_code=400)
        method = connection.scope.get("method")
        path = connection.url.path
        writes = method is not None and method not in READING
        if (writes or method is None or path.startswith(SOCKET)) and not self._is_ours(connection, must_say=writes):
            return PlainTextResponse("Refused: the request comes from another site.", status_code=403)
        if self._rules.sign_in_to_read and session is None and path != SIGN_IN:
            return self._ask_to_sign_in(connection, path)
        return None

    def _is_ours(self, connection: HTTPConnection, *, must_say: bool) -> bool:
        """Tell whether a request was sent by our own page; browsers always say where one that acts comes from."""
        if connection.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        origin = connection.headers.get("origin")
        if origin is None:
            return not must_say
        parts = urlsplit(origin)
        scheme = "https" if is_https(connection, behind_proxy=self._rules.behind_proxy) else "http"
        return (parts.scheme, parts.netloc.lower()) == (scheme, connection.headers.get("host", "").lower())

    def _ask_to_sign_in(self, connection: HTTPConnection, path: str) -> Response:
        if connection.scope.get("method") == "GET" and "text/html" in connection.headers.get("accept", ""):
            return RedirectResponse(f"{SIGN_IN}?next={quote(path)}", status_code=303)
        return PlainTextResponse("Sign in first.", status_code=401)


def is_https(connection: HTTPConnection, *, behind_proxy: bool) -> bool:
    """Tell whether the browser speaks https, to us or to the proxy before us."""
    told = connection.headers.get("x-forwarded-proto", "") if behind_proxy else ""
    return (told.split(",")[-1].strip() or connection.url.scheme) in ("https", "wss")


def address_of(connection: HTTPConnection, *, behind_proxy: bool) -> str:
    """Return where a request comes from; of what is told by proxies, what the nearest one saw."""
    told = connection.headers.get("x-forwarded-for", "") if behind_proxy else ""
    seen = connection.client.host if connection.client else "unknown"
    return told.split(",")[-1].strip() or seen


def session_of(scope: Mapping[str, Any]) -> Session | None:
    """Return the session that the guard found."""
    return scope.get("state", {}).get("session")


def _name(host: str) -> str:
    """Return a Host header's name without its port."""
    name = host.lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]


def _with_headers(send: Send) -> Send:
    added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return sending

"""Which requests come through to the pages."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send
from tracker.testing.builders import START
from tracker.testing.clock import FixedClock

from services.dashboard.access.guard import LOOPBACK_NAMES, Guard, Rules, address_of, session_of
from services.dashboard.access.sessions import COOKIE, Sessions

ALL = {"hosts": None, "sign_in_to_read": False, "behind_proxy": False}
LOOPBACK = {**ALL, "hosts": (*LOOPBACK_NAMES, "page.example")}
CLOSED = {**ALL, "sign_in_to_read": True}
SOCKET = "/_nicegui_ws/socket.io/"


async def pages(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    session = session_of(scope)
    await JSONResponse({"who": session.who if session else None})(scope, receive, send)


def guard(rules: dict[str, Any]) -> tuple[Guard, Sessions]:
    sessions = Sessions("secret", "word", 1.0, FixedClock(START))
    return Guard(pages, sessions, Rules(**rules)), sessions


async def status(rules: dict[str, Any], method: str, path: str = "/", **headers: str) -> int:
    each, _ = guard(rules)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(each), base_url="http://127.0.0.1:8809") as client:
        return (await client.request(method, path, headers=sent)).status_code


async def handshake(rules: dict[str, Any], **headers: str) -> list[Message]:
    each, _ = guard(rules)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: Scope = {
        "type": "websocket", "scheme": "ws", "path": SOCKET, "raw_path": b"", "query_string": b"", "root_path": "",
        "headers": raw, "server": ("127.0.0.1", 8809), "client": ("127.0.0.1", 5), "subprotocols": [],
    }  # fmt: skip
    await each(scope, receive, send)
    return sent


@pytest.mark.parametrize(("host", "served"), [
    ("127.0.0.1:8809", True), ("localhost", True), ("[::1]:8809", True), ("LOCALHOST:1", True), ("page.example", True),
    ("evil.example", False), ("localhost.evil.example:8809", False), ("", False), ("127.0.0.1.nip.io", False),
])
async def test_other_names_that_lead_here_are_refused(host: str, served: bool) -> None:
    assert await status(LOOPBACK, "GET", host=host) == (200 if served else 400)


@pytest.mark.parametrize(("origin", "passes"), [
    ("http://127.0.0.1:8809", True), ("http://evil.example", False), ("null", False), (None, False),
    ("https://127.0.0.1:8809", False), ("http://127.0.0.1:9999", False), ("http://127.0.0.1:8809.evil.example", False),
])
async def test_what_acts_must_come_from_our_own_page(origin: str | None, passes: bool) -> None:
    headers = {} if origin is None else {"origin": origin}
    for method in ("POST", "PUT", "DELETE"):
        assert await status(ALL, method, "/commands", **headers) == (200 if passes else 403)
    assert await status(ALL, "GET", "/", **headers) == 200


@pytest.mark.parametrize(("headers", "passes"), [
    ({"origin": "http://127.0.0.1:8809"}, True), ({}, True), ({"origin": "http://evil.example"}, False),
    ({"origin": "null"}, False), ({"origin": "http://127.0.0.1:8809", "sec_fetch_site": "cross-site"}, False),
    ({"sec_fetch_site": "same-site"}, False),
])
async def test_other_sites_get_no_socket(headers: dict[str, str], passes: bool) -> None:
    told = await handshake(ALL, host="127.0.0.1:8809", **headers)
    assert [each["type"] for each in told] == ["websocket.accept" if passes else "websocket.close"]
    assert await status(ALL, "GET", f"{SOCKET}?transport=polling", **headers) == (200 if passes else 403)


async def test_strangers_are_asked_to_sign_in_and_get_nothing_else() -> None:
    assert await status(CLOSED, "GET", "/paper", accept="text/html") == 303
    assert await status(CLOSED, "GET", "/_nicegui/x.js", accept="*/*") == 401
    assert await status(CLOSED, "POST", "/commands", origin="http://127.0.0.1:8809") == 401
    assert await status(CLOSED, "GET", "/signin") == 200
    assert await status(CLOSED, "GET", "/signin/../paper") in (303, 401)
    assert [each["type"] for each in await handshake(CLOSED, host="x")] == ["websocket.close"]


async def test_who_signed_in_is_known_to_the_pages_and_headers_protect_them() -> None:
    each, sessions = guard(CLOSED)
    cookie, _ = sessions.begin("ann")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(each), base_url="http://x") as client:
        answer = await client.get("/paper", headers={"cookie": f"{COOKIE}={cookie}"})
    assert answer.json() == {"who": "ann"}
    assert answer.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_behind_a_proxy_https_is_what_the_browser_spoke() -> None:
    behind = {**ALL, "behind_proxy": True}
    headers = {"host": "page.example", "origin": "https://page.example", "x_forwarded_proto": "https"}
    assert await status(behind, "POST", "/commands", **headers) == 200
    assert await status(ALL, "POST", "/commands", **headers) == 403


@pytest.mark.parametrize(("told", "behind", "address"), [
    ("", False, "10.0.0.9"), ("1.2.3.4", False, "10.0.0.9"), ("1.2.3.4", True, "1.2.3.4"),
    ("9.9.9.9, 1.2.3.4", True, "1.2.3.4"), ("", True, "10.0.0.9"),
])
def test_an_address_is_what_the_nearest_proxy_saw(told: str, behind: bool, address: str) -> None:
    headers = [(b"x-forwarded-for", told.encode())]
    request = Request({"type": "http", "headers": headers, "client": ("10.0.0.9", 1), "method": "GET", "path": "/"})
    assert address_of(request, behind_proxy=behind) == address

"""Signing in and commanding, over the wire, and what other sites cannot do."""

from __future__ import annotations

import json
import re
import subprocess
from tempfile import TemporaryFile

import httpx
import pytest
from tracker.testing.dashboard_process import running_dashboard, start_dashboard
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from services.dashboard.access.attempts import FREE
from services.dashboard.access.sessions import COOKIE, Sessions

LAST = (
    "SELECT who, address, action, subject, outcome, note, arguments, reason FROM dashboards.audit_log ORDER BY audit_id"
)
SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"


def token_of(client: httpx.Client) -> str:
    """Return the token as the signed-in page has it: nobody else can read that."""
    found = re.search(r'name="tracker-token" content="([\w-]{43})"', client.get("/").text)
    assert found is not None
    return found[1]


def command(client: httpx.Client, headers: dict[str, str], **wish: object) -> httpx.Response:
    whole = {"action": "halt", "subject": "paper", **wish}
    return client.post("/commands", content=json.dumps(whole), headers=headers)


def test_anybody_on_this_machine_reads_and_only_who_signed_in_commands(commanded) -> None:
    with commanded.client() as client:
        assert client.get("/").status_code == 200
        assert command(client, commanded.origin).status_code == 401


def test_signing_in_sets_a_cookie_that_scripts_and_other_sites_do_not_get(commanded) -> None:
    with commanded.client() as client:
        answer = client.post(
            "/signin", data={"password": "a word for tests", "next": "/paper"}, headers=commanded.origin
        )
    assert (answer.status_code, answer.headers["location"]) == (303, "/paper")
    cookie = answer.headers["set-cookie"]
    assert all(each in cookie for each in ("HttpOnly", "SameSite=strict", "Path=/"))
    assert "Secure" not in cookie
    for elsewhere in ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:x"):
        with commanded.client() as client:
            answer = client.post(
                "/signin", data={"password": "a word for tests", "next": elsewhere}, headers=commanded.origin
            )
        assert answer.headers["location"] == "/"


def test_a_command_is_written_down_with_who_when_where_and_what(commanded) -> None:
    with commanded.signed_in() as client:
        headers = {**commanded.origin, "X-Tracker-Token": token_of(client)}
        answer = command(client, headers, action="pause", arguments={"strategy": "dca"}, reason="looks odd")
        assert (answer.status_code, answer.json()["outcome"]) == (200, "waiting")
        refused = command(client, headers, subject="nobody's")
        unknown = command(client, headers, action="drop_tables")
        odd = command(client, headers, arguments={"minutes": [1]})
        trained = command(client, headers, action="retrain", subject="dca", reason="new data")
        other = command(client, headers, action="retrain", subject="nonsense")
        model = command(client, headers, action="promote", subject="77")
    answers = (refused, unknown, odd, trained, other, model)
    assert [each.status_code for each in answers] == [400, 400, 400, 200, 400, 200]
    assert model.json()["outcome"] == "refused"
    given = commanded.rows("SELECT requested_by, account, kind::text, arguments, reason FROM tracker.commands")
    assert given == [
        {"requested_by": "owner", "account": "paper", "kind": "pause", "arguments": '{"strategy": "dca"}',
         "reason": "looks odd"},
    ]  # fmt: skip
    assert commanded.rows("SELECT requested_by, kind, strategy, reason FROM tracker.job_requests") == [
        {"requested_by": "owner", "kind": "train", "strategy": "dca", "reason": "new data"},
    ]
    lines = [each for each in commanded.rows(LAST) if each["action"] not in ("sign_in", "sign_out")]
    assert {each["address"] for each in lines} == {"127.0.0.1"}
    assert {each["who"] for each in lines} == {"owner"}
    assert [(each["action"], each["subject"], each["outcome"]) for each in lines] == [
        ("pause", "paper", "waiting"), ("halt", "nobody's", "refused"), ("drop_tables", "paper", "refused"),
        ("retrain", "dca", "waiting"), ("retrain", "nonsense", "refused"), ("promote", "77", "refused"),
    ]  # fmt: skip
    assert lines[0]["reason"] == "looks odd"


def test_without_the_page_s_token_or_from_another_site_nothing_is_done(commanded) -> None:
    before = commanded.rows("SELECT count(*) FROM tracker.commands")
    with commanded.signed_in() as client, commanded.signed_in() as other:
        good = {**commanded.origin, "X-Tracker-Token": token_of(client)}
        for headers in (
            commanded.origin,
            {**commanded.origin, "X-Tracker-Token": ""},
            {**commanded.origin, "X-Tracker-Token": token_of(other)},
            {**good, "Origin": "http://evil.example"},
            {**good, "Origin": "null"},
            {**good, "Sec-Fetch-Site": "cross-site"},
            {"X-Tracker-Token": good["X-Tracker-Token"]},
        ):
            assert command(client, headers).status_code == 403
        assert command(client, {**good, "Host": "evil.example"}).status_code == 400
    assert commanded.rows("SELECT count(*) FROM tracker.commands") == before


def test_other_sites_get_no_websocket_and_ours_do(commanded) -> None:
    address = commanded.page.url.replace("http", "ws") + SOCKET
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}):
        with pytest.raises(InvalidStatus) as refused, connect(address, additional_headers=headers):
            pass
        assert refused.value.response.status_code == 403
    with connect(address, additional_headers=commanded.origin) as socket:
        assert str(socket.recv()).startswith("0{")


def test_who_signs_out_is_out_also_with_the_cookie_of_before(commanded) -> None:
    with commanded.signed_in() as client:
        headers = {**commanded.origin, "X-Tracker-Token": token_of(client)}
        kept = client.cookies[COOKIE]
        assert client.post("/signout", headers=commanded.origin).status_code == 303
        assert COOKIE not in client.cookies
        client.cookies.set(COOKIE, kept)
        assert command(client, headers).status_code == 401


def test_guessing_is_slowed_down_and_written_down(commanded) -> None:
    with commanded.client() as client:
        guesses = [
            client.post("/signin", data={"password": f"guess {n}"}, headers=commanded.origin) for n in range(FREE + 2)
        ]
        right = client.post("/signin", data={"password": "a word for tests"}, headers=commanded.origin)
    assert [each.status_code for each in guesses] == [401] * FREE + [429] * 2
    assert int(guesses[-1].headers["retry-after"]) >= 1
    assert right.status_code == 429
    failed = [each for each in commanded.rows(LAST) if (each["action"], each["outcome"]) == ("sign_in", "refused")]
    assert len(failed) == FREE
    assert "guess" not in json.dumps(failed)


def test_beyond_loopback_strangers_see_the_sign_in_and_nothing_else(database_url: str) -> None:
    with running_dashboard(database_url, HOST="0.0.0.0", DASHBOARD_PASSWORD="word") as page:
        for path in ("/", "/_nicegui_ws/socket.io/?EIO=4&transport=polling", "/nonsense"):
            answer = httpx.get(page.url + path)
            assert (answer.status_code, answer.text) == (401, "Sign in first.")
        asked = httpx.get(page.url, headers={"Accept": "text/html"})
        assert (asked.status_code, asked.headers["location"]) == (303, "/signin?next=/")
        with pytest.raises(InvalidStatus), connect(page.url.replace("http", "ws") + SOCKET):
            pass
        with httpx.Client(base_url=page.url) as client:
            origin = {"Origin": page.url}
            assert client.post("/signin", data={"password": "word"}, headers=origin).status_code == 303
            assert client.get("/").status_code == 200
        assert httpx.get(page.url + "/livez").status_code == 200


def test_beyond_loopback_it_does_not_start_without_a_sign_in(database_url: str) -> None:
    with TemporaryFile() as log:
        process, _ = start_dashboard(database_url, log.fileno(), HOST="0.0.0.0")
        try:
            assert process.wait(60) == 2
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        log.seek(0)
        words = log.read().decode()
    assert "HOST = '0.0.0.0' opens the page to the network, and nobody could sign in: set DASHBOARD_PASSWORD" in words
    assert "Traceback" not in words


def test_a_session_of_another_secret_is_none(commanded) -> None:
    from tracker.domain.clock import SystemClock

    cookie, session = Sessions("guessed", "a word for tests", 12, SystemClock()).begin("owner")
    with commanded.client() as client:
        client.cookies.set(COOKIE, cookie)
        assert command(client, {**commanded.origin, "X-Tracker-Token": session.token}).status_code == 401

"""Who may sign in, and that strangers' pages are not served without a way to."""

from __future__ import annotations

import httpx
import orjson
import pytest
from tracker.domain.errors import ConfigError
from tracker.runtime.settings import load_settings

from services.dashboard.access.doors import DoorUnavailableError, PasswordDoor, SupabaseDoor, door_of
from services.dashboard.settings import DashboardSettings

SUPABASE = {"supabase_url": "https://project.supabase.co", "supabase_anon_key": "public"}


def settings(**told: object) -> DashboardSettings:
    nothing = {"password": None, "supabase_url": None, "supabase_anon_key": None, "hosts": (), "behind_proxy": False}
    return load_settings(DashboardSettings, {**nothing, "host": "127.0.0.1", **told})


class Supabase:
    """Answers as Supabase's sign-in does, for one user."""

    def __init__(self, status: int | None = None) -> None:
        self.status = status
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.status is not None:
            return httpx.Response(self.status, json={"msg": "no", "code": self.status})
        asked = orjson.loads(request.content)
        if asked["password"] != "right":
            return httpx.Response(400, json={"error_code": "invalid_credentials", "msg": "Invalid login credentials"})
        at = "2024-01-01T00:00:00Z"
        user = {
            "id": "1", "aud": "authenticated", "email": asked["email"], "app_metadata": {}, "user_metadata": {},
            "created_at": at, "updated_at": at,
        }  # fmt: skip
        return httpx.Response(200, json={
            "access_token": "a", "refresh_token": "r", "token_type": "bearer", "expires_in": 3600, "user": user,
        })  # fmt: skip


def door(server: Supabase) -> SupabaseDoor:
    return SupabaseDoor(
        "https://project.supabase.co/", "public", ("ann@example.org",), transport=httpx.MockTransport(server)
    )


async def test_a_password_is_the_owner_s() -> None:
    each = PasswordDoor("geheim-ß")
    assert await each.who("", "geheim-ß") == "owner"
    assert await each.who("", "geheim") is None
    assert await each.who("", "") is None


@pytest.mark.parametrize(("email", "password", "who"), [
    ("ann@example.org", "right", "ann@example.org"), ("Ann@Example.org", "right", "ann@example.org"),
    ("ann@example.org", "wrong", None), ("bob@example.org", "right", None), ("", "right", None),
    ("ann@example.org", "", None),
])
async def test_supabase_lets_in_whom_it_knows_and_we_list(email: str, password: str, who: str | None) -> None:
    server = Supabase()
    assert await door(server).who(email, password) == who
    for request in server.requests:
        assert str(request.url) == "https://project.supabase.co/auth/v1/token?grant_type=password"
        assert request.headers["apikey"] == "public"


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_supabase_in_trouble_is_said_to_be(status: int) -> None:
    with pytest.raises(DoorUnavailableError):
        await door(Supabase(status)).who("ann@example.org", "right")


async def test_supabase_out_of_reach_is_said_to_be() -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    away = SupabaseDoor("https://project.supabase.co", "public", ("a@b.c",), transport=httpx.MockTransport(broken))
    with pytest.raises(DoorUnavailableError, match="cannot be reached"):
        await away.who("a@b.c", "right")


@pytest.mark.parametrize(("told", "kind"), [
    ({}, None), ({"host": "::1"}, None), ({"host": "localhost"}, None), ({"password": "x"}, PasswordDoor),
    ({"host": "0.0.0.0", "password": "x"}, PasswordDoor), (SUPABASE, None),
    ({**SUPABASE, "host": "::", "allowed_emails": "a@b.c, d@e.f"}, SupabaseDoor),
])
def test_the_door_is_the_configured_one(told: dict[str, object], kind: type | None) -> None:
    found = door_of(settings(**told))
    assert (found if found is None else type(found)) is kind


@pytest.mark.parametrize(("told", "missing"), [
    ({"host": "0.0.0.0"}, "set DASHBOARD_PASSWORD"), ({"host": "::"}, "set DASHBOARD_PASSWORD"),
    ({"host": "::", "password": ""}, "set DASHBOARD_PASSWORD"),
    ({"host": "::", **SUPABASE}, "DASHBOARD_ALLOWED_EMAILS"),
    ({"allowed_emails": "a@b.c"}, "SUPABASE_URL is missing"),
    ({"allowed_emails": "a@b.c", "supabase_url": "https://x"}, "SUPABASE_ANON_KEY is missing"),
])
def test_a_page_that_strangers_reach_needs_a_sign_in(told: dict[str, object], missing: str) -> None:
    with pytest.raises(ConfigError, match=missing):
        door_of(settings(**told))


def test_secrets_are_not_shown() -> None:
    shown = repr(settings(password="geheim", session_secret="signs", supabase_anon_key="public"))
    assert "geheim" not in shown
    assert "signs" not in shown

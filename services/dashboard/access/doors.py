"""Ways to sign in: one password from the environment, or an account at Supabase."""

from __future__ import annotations

import hmac
from typing import Protocol

import httpx
from tracker.domain.errors import ConfigError, TrackerError

from services.dashboard.settings import DashboardSettings


class DoorUnavailableError(TrackerError):
    """Who answers for the sign-in cannot be reached; trying again may help."""

    retryable = True


class Door(Protocol):
    """Decides who somebody is."""

    asks_for_email: bool

    async def who(self, email: str, password: str) -> str | None:
        """Return the name of whom these belong to, None for nobody; raises DoorUnavailableError."""
        ...


class PasswordDoor:
    """One password for the owner."""

    asks_for_email = False

    def __init__(self, password: str) -> None:
        """Take the password."""
        self._password = password.encode()

    async def who(self, email: str, password: str) -> str | None:
        """Return `owner` for the password."""
        return "owner" if hmac.compare_digest(password.encode(), self._password) else None


class SupabaseDoor:
    """Users of a Supabase project, of which only the listed ones may sign in."""

    asks_for_email = True

    def __init__(
        self, url: str, anon_key: str, allowed: tuple[str, ...], transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Take the project's address and public key; `transport` is the one that requests go over."""
        self._url = f"{url.rstrip('/')}/auth/v1"
        self._headers = {"apikey": anon_key, "Authorization": f"Bearer {anon_key}"}
        self._allowed = allowed
        self._transport = transport

    async def who(self, email: str, password: str) -> str | None:
        """Return the e-mail address as Supabase knows it, where it is among the listed ones."""
        # Imported where it is used: a page that is opened by a password does without.
        from supabase_auth import AsyncGoTrueClient
        from supabase_auth.errors import AuthApiError, AuthError

        if not email or not password:
            return None
        async with httpx.AsyncClient(transport=self._transport, timeout=10) as http:
            client = AsyncGoTrueClient(
                url=self._url, headers=self._headers, auto_refresh_token=False, persist_session=False, http_client=http
            )
            try:
                answer = await client.sign_in_with_password({"email": email, "password": password})
            except AuthApiError as error:
                if error.status >= 500 or error.status == 429:
                    raise DoorUnavailableError(f"Supabase cannot sign anybody in now: {error.status}") from None
                return None
            except (AuthError, httpx.HTTPError) as error:
                raise DoorUnavailableError(f"Supabase cannot be reached: {type(error).__name__}") from None
        known = (answer.user.email or "").lower() if answer.user else ""
        return known if known and known in self._allowed else None


def door_of(settings: DashboardSettings) -> Door | None:
    """Return the way to sign in that is configured, None where there is none.

    Raises ConfigError where it is configured by half, or where strangers could reach the page without one.
    """
    supabase = (settings.supabase_url, settings.supabase_anon_key)
    if settings.password is not None:
        return PasswordDoor(settings.password.get_secret_value())
    if settings.allowed_emails:
        if not settings.supabase_url or settings.supabase_anon_key is None:
            missing = "SUPABASE_ANON_KEY" if settings.supabase_url else "SUPABASE_URL"
            raise ConfigError(f"environment: {missing} is missing, and DASHBOARD_ALLOWED_EMAILS needs it")
        return SupabaseDoor(
            settings.supabase_url, settings.supabase_anon_key.get_secret_value(), settings.allowed_emails
        )
    if not settings.on_loopback:
        more = ", SUPABASE_URL and SUPABASE_ANON_KEY" if not all(supabase) else ""
        raise ConfigError(
            f"environment: HOST = {settings.host!r} opens the page to the network, and nobody could sign in: "
            f"set DASHBOARD_PASSWORD, or DASHBOARD_ALLOWED_EMAILS{more} for sign-in by Supabase"
        )
    return None

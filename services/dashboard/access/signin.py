"""The page to sign in by, and the way out."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from tracker.domain.errors import TrackerError
from tracker.runtime.logging import Logger

from services.dashboard.access.attempts import Attempts
from services.dashboard.access.audit import Audit
from services.dashboard.access.doors import Door
from services.dashboard.access.guard import SIGN_IN, address_of, is_https, session_of
from services.dashboard.access.sessions import COOKIE, Sessions

PAGE = Template((Path(__file__).parents[1] / "assets" / "signin.html").read_text(encoding="utf-8"))
OFF = "off"
LONGEST_FIELD = 500


class SignIn:
    """GET and POST /signin, POST /signout."""

    def __init__(
        self,
        door: Door | None,
        sessions: Sessions,
        attempts: Attempts,
        audit: Audit,
        log: Logger,
        *,
        behind_proxy: bool,
    ) -> None:
        """Let in whom `door` knows."""
        self._door = door
        self._sessions = sessions
        self._attempts = attempts
        self._audit = audit
        self._log = log
        self._behind_proxy = behind_proxy

    def mount(self, app: FastAPI) -> None:
        """Add the routes."""

        @app.get(SIGN_IN, response_class=HTMLResponse, include_in_schema=False)
        async def show(request: Request) -> Response:
            return self._page(_next(request.query_params.get("next", "/")))

        @app.post(SIGN_IN, include_in_schema=False)
        async def sign_in(request: Request) -> Response:
            return await self._sign_in(request)

        @app.post("/signout", include_in_schema=False)
        async def sign_out(request: Request) -> Response:
            session = session_of(request.scope)
            if session is not None:
                self._sessions.end(session)
                await self._audit.note(session.who, self._address(request), "sign_out", outcome="done")
            response = RedirectResponse("/", status_code=303)
            response.delete_cookie(COOKIE)
            return response

        _ = (show, sign_in, sign_out)

    async def _sign_in(self, request: Request) -> Response:
        form = await request.form()
        email, password = (str(form.get(name, ""))[:LONGEST_FIELD] for name in ("email", "password"))
        after, address = _next(str(form.get("next", "/"))), self._address(request)
        if self._door is None:
            return self._page(after, status=404)
        wait = self._attempts.wait_seconds(address)
        if wait > 0:
            words = f"Too many attempts failed: try again in {wait:.0f} s."
            return self._page(after, words, status=429, headers={"Retry-After": str(int(wait) + 1)})
        self._attempts.begin(address)
        try:
            who = await self._door.who(email.strip(), password)
        except TrackerError as error:
            self._log.warning("nobody can sign in now", action="sign_in_unavailable", error=str(error))
            return self._page(after, str(error), status=503)
        if who is None:
            await self._audit.note(email.strip() or "nobody", address, "sign_in", outcome="refused")
            self._log.warning("a sign-in failed", action="sign_in_failed", address=address)
            return self._page(after, "That was not right.", status=401)
        self._attempts.succeeded(address)
        await self._audit.note(who, address, "sign_in", outcome="done")
        cookie, _ = self._sessions.begin(who)
        response = RedirectResponse(after, status_code=303)
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=self._sessions.seconds,
            httponly=True,
            samesite="strict",
            secure=is_https(request, behind_proxy=self._behind_proxy),
        )
        return response

    def _address(self, request: Request) -> str:
        return address_of(request, behind_proxy=self._behind_proxy)

    def _page(
        self, after: str, words: str = "", *, status: int = 200, headers: dict[str, str] | None = None
    ) -> HTMLResponse:
        shown = {
            "words": escape(words),
            "after": escape(after),
            "told": "" if words else OFF,
            "open": "" if self._door else OFF,
            "closed": OFF if self._door else "",
            "email": "" if self._door and self._door.asks_for_email else OFF,
        }
        page = PAGE.substitute(shown)
        return HTMLResponse(page, status_code=status, headers={"Cache-Control": "no-store", **(headers or {})})


def _next(path: str) -> str:
    """Return where to go afterwards: a path of ours, whatever was asked for."""
    plain = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if plain and not path.startswith(SIGN_IN) else "/"

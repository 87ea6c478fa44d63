"""The pages mounted on the service's web app, behind the guard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.middleware.gzip import GZipMiddleware
from nicegui import app as pages_app
from nicegui import ui
from starlette.applications import Starlette
from starlette.types import ASGIApp
from tracker.domain.clock import Clock
from tracker.domain.errors import TrackerError
from tracker.runtime.logging import Logger
from tracker.store.database import Database
from tracker.store.pages.shell import Account

from services.dashboard.access.attempts import Attempts
from services.dashboard.access.audit import Audit
from services.dashboard.access.doors import Door
from services.dashboard.access.guard import LOOPBACK_NAMES, Guard, Rules, session_of
from services.dashboard.access.sessions import Sessions
from services.dashboard.access.signin import SignIn
from services.dashboard.commands import WRITER, Commands
from services.dashboard.context import Page, PageContext
from services.dashboard.pages.overview import ACCOUNTS
from services.dashboard.places import PAGES
from services.dashboard.reader import Reader
from services.dashboard.settings import DashboardSettings
from services.dashboard.shell import ACCOUNT_COOKIE, ZONE_COOKIE, choose_account, cookie, frame

ASSETS = Path(__file__).parent / "assets"
ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0a66ad"/>'
    '<path d="M5 22l7-8 5 5 10-12" fill="none" stroke="#fff" stroke-width="3"/></svg>'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the pages are served with; `door` is None where nobody can sign in."""

    reader: Reader
    database: Database
    settings: DashboardSettings
    door: Door | None
    clock: Clock
    log: Logger


def mount_pages(app: Starlette, site: Site) -> None:
    """Mount every page at its path, and what the browser needs for them; once in a process."""
    settings = site.settings
    style = (ASSETS / "tracker.css").read_text(encoding="utf-8")
    script = (ASSETS / "tracker.js").read_text(encoding="utf-8")
    ui.add_head_html(f"<style>{style}</style><script>{script}</script>", shared=True)
    for page in PAGES:
        ui.page(page.path, response_timeout=20)(_handler(page, site))
    pages_app.on_exception(lambda error: _tell(site.log, error))
    inner = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    sessions = _mount_access(inner, site)
    ui.run_with(
        inner,
        title="Crypto Tracker",
        favicon=ICON,
        dark=None,
        tailwind=False,
        reconnect_timeout=10,
        message_history_length=50,
        binding_refresh_interval=None,
        show_welcome_message=False,
        # Within one machine packing takes longer than sending.
        gzip_middleware_factory=None if settings.on_loopback else _gzip,
    )
    app.mount("/", Guard(inner, sessions, rules_of(settings)))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        # Apps that are mounted are not started with the one they are mounted in.
        async with inner.router.lifespan_context(inner):
            yield

    app.router.lifespan_context = lifespan


def rules_of(settings: DashboardSettings) -> Rules:
    """Return whom the guard lets in: on loopback anybody on this machine reads, by a name of this machine."""
    named = (*LOOPBACK_NAMES, *settings.hosts)
    return Rules(
        hosts=named if settings.on_loopback or settings.hosts else None,
        sign_in_to_read=not settings.on_loopback,
        behind_proxy=settings.behind_proxy,
    )


def _mount_access(app: FastAPI, site: Site) -> Sessions:
    settings = site.settings
    secret, password = settings.session_secret, settings.password
    sessions = Sessions(
        secret.get_secret_value() if secret else None,
        password.get_secret_value() if password else None,
        settings.session_hours,
        site.clock,
    )
    audit = Audit(site.database.acting_as(WRITER), site.log)
    proxied = settings.behind_proxy
    SignIn(site.door, sessions, Attempts(site.clock), audit, site.log, behind_proxy=proxied).mount(app)
    Commands(site.database, settings.config_dir, site.clock, site.log, behind_proxy=proxied).mount(app)
    return sessions


def _gzip(app: ASGIApp) -> GZipMiddleware:
    # The default level takes longer than the wire it saves.
    return GZipMiddleware(app, minimum_size=1000, compresslevel=3)


def _handler(page: Page, site: Site) -> Callable[[Request], Awaitable[None]]:
    async def show(request: Request) -> None:
        accounts = await _accounts(site.reader)
        chosen = choose_account(accounts, cookie(request, ACCOUNT_COOKIE), site.settings.account)
        session = session_of(request.scope)
        context = PageContext(
            reader=site.reader,
            settings=site.settings,
            clock=site.clock,
            account=chosen.account if chosen else None,
            currency=chosen.currency if chosen else "",
            signed_in_as=session.who if session else None,
            token=session.token if session else None,
            can_sign_in=site.door is not None,
            zone=cookie(request, ZONE_COOKIE) or "UTC",
        )
        await frame(request, page, PAGES, context, accounts)

    return show


async def _accounts(reader: Reader) -> tuple[Account, ...]:
    try:
        return await reader.ask(ACCOUNTS)
    except TrackerError as error:
        if not error.retryable:
            raise
        return ()


def _tell(log: Logger, error: Exception) -> None:
    log.error("a page failed", action="page_failed", error=str(error), kind=type(error).__name__, exc_info=error)

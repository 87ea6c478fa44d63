"""The pages mounted on the service's web app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.middleware.gzip import GZipMiddleware
from nicegui import app as pages_app
from nicegui import ui
from starlette.types import ASGIApp
from tracker.domain.clock import Clock
from tracker.domain.errors import TrackerError
from tracker.runtime.logging import Logger
from tracker.store.pages.shell import Account

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


def mount_pages(app: FastAPI, reader: Reader, settings: DashboardSettings, clock: Clock, log: Logger) -> None:
    """Mount every page at its path, and what the browser needs for them; once in a process."""
    style = (ASSETS / "tracker.css").read_text(encoding="utf-8")
    script = (ASSETS / "tracker.js").read_text(encoding="utf-8")
    ui.add_head_html(f"<style>{style}</style><script>{script}</script>", shared=True)
    for page in PAGES:
        ui.page(page.path, response_timeout=20)(_handler(page, reader, settings, clock))
    pages_app.on_exception(lambda error: _tell(log, error))
    ui.run_with(
        app,
        title="Crypto Tracker",
        favicon=ICON,
        dark=None,
        tailwind=False,
        reconnect_timeout=10,
        message_history_length=50,
        binding_refresh_interval=None,
        show_welcome_message=False,
        gzip_middleware_factory=_gzip,
    )


def _gzip(app: ASGIApp) -> GZipMiddleware:
    # The default level takes longer than the wire it saves.
    return GZipMiddleware(app, minimum_size=1000, compresslevel=3)


def _handler(
    page: Page, reader: Reader, settings: DashboardSettings, clock: Clock
) -> Callable[[Request], Awaitable[None]]:
    async def show(request: Request) -> None:
        accounts = await _accounts(reader)
        chosen = choose_account(accounts, cookie(request, ACCOUNT_COOKIE), settings.account)
        context = PageContext(
            reader=reader,
            settings=settings,
            clock=clock,
            account=chosen.account if chosen else None,
            currency=chosen.currency if chosen else "",
            signed_in_as=None,
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

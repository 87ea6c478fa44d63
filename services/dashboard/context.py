"""What a page is given to be built with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tracker.domain.clock import Clock

from services.dashboard.reader import Reader
from services.dashboard.settings import DashboardSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """One viewer's page; `account` is the one that was chosen, None while there is none.

    `signed_in_as` and `token`, which commands need, are None for a viewer who only reads; `can_sign_in` says whether
    anybody could. `zone` is the viewer's as the browser told it.
    """

    reader: Reader
    settings: DashboardSettings
    clock: Clock
    account: str | None
    currency: str
    signed_in_as: str | None
    token: str | None = field(repr=False)
    can_sign_in: bool
    zone: str

    @property
    def how_to_command(self) -> str:
        """What somebody who may not command has to do first."""
        if self.can_sign_in:
            return "Sign in to use this"
        return "Start the dashboard with DASHBOARD_PASSWORD in its environment, and sign in, to use this"


Build = Callable[[PageContext], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One of the pages: where it is, what it is called and how it is built."""

    path: str
    title: str
    icon: str
    build: Build

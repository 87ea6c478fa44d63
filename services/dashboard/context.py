"""What a page is given to be built with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tracker.domain.clock import Clock

from services.dashboard.reader import Reader
from services.dashboard.settings import DashboardSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """One viewer's page; `account` is the one that was chosen, None while there is none.

    `signed_in_as` is None for a viewer who only reads; `zone` is the viewer's as the browser told it.
    """

    reader: Reader
    settings: DashboardSettings
    clock: Clock
    account: str | None
    currency: str
    signed_in_as: str | None
    zone: str


Build = Callable[[PageContext], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One of the pages: where it is, what it is called and how it is built."""

    path: str
    title: str
    icon: str
    build: Build

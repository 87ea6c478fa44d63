"""All pages, in the order of the menu."""

from __future__ import annotations

from services.dashboard.context import Page
from services.dashboard.pages import overview

PAGES: tuple[Page, ...] = (
    Page(path="/", title="Overview", icon="space_dashboard", build=overview.build),
)

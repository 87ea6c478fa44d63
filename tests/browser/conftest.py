"""The real dashboard, as a process of its own, in a real browser."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncpg
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from tracker.store.embedded import EmbeddedPostgres
from tracker.testing.dashboard_process import RunningDashboard, running_dashboard
from tracker.testing.filled_database import Filled

T = TypeVar("T")
CHROMIUM = shutil.which("chromium")
# Sandboxes of their own need rights that root in a container has not.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
VIEWS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1440, "height": 1000}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1440, "height": 1000}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}
PASSWORD = "a word for tests"
_numbers = itertools.count(1)


def aside(work: Coroutine[Any, Any, T]) -> T:
    """Run something asynchronous while a browser is open, which has a loop of its own in this thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(work)).result()


async def fetch(url: str, query: str, *arguments: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(query, *arguments)
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A dashboard over a database of its own, which tests may write to."""

    url: str
    database_url: str

    def value(self, query: str, *arguments: object) -> Any:
        """Return the first figure that a query finds."""
        return aside(fetch(self.database_url, query, *arguments))[0][0]

    def rows(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        """Return what a query finds, or does."""
        return [dict(row) for row in aside(fetch(self.database_url, query, *arguments))]


@dataclass(slots=True)
class Visitor:
    """Opens pages, each in a browser without a past, and keeps what they complain of."""

    browser: Browser
    complaints: list[str] = field(default_factory=list[str])

    def __call__(self, address: str, view: str = "light", zone: str = "Europe/Berlin") -> Page:
        """Open an address in one of VIEWS and wait until the page is there."""
        page = self.browser.new_context(**VIEWS[view], timezone_id=zone).new_page()
        page.on("pageerror", lambda error: self.complaints.append(error.stack or str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.goto(address)
        page.wait_for_selector("main.page section")
        return page


Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium; for one module, since while it is open nothing else may use a loop in this thread."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine (.ci/run installs it)")
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield made
        made.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens pages; a test that leaves errors in a console fails."""
    visitor = Visitor(browser=browser)
    yield visitor
    for context in browser.contexts:
        context.close()
    assert visitor.complaints == []


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """One page, 1280 px wide, light, in Berlin; a test that leaves errors in its console fails."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, color_scheme="light", timezone_id="Europe/Berlin"
    )
    made = context.new_page()
    complaints: list[str] = []
    made.on("pageerror", lambda error: complaints.append(error.stack or str(error)))
    made.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    yield made
    context.close()
    # The browser itself remarks that a wrong password was answered with 401, which it should be.
    assert [each for each in complaints if "status of 401" not in each] == []


@pytest.fixture(scope="module")
def lively(postgres: EmbeddedPostgres, filled: tuple[str, Filled]) -> Iterator[tuple[Served, Filled]]:
    """A dashboard over a copy of the filled database."""
    with _copy_of("filled", postgres, filled[0], "@/filled?") as url, running_dashboard(url) as running:
        yield _served(running, url), filled[1]


@pytest.fixture(scope="module")
def empty(postgres: EmbeddedPostgres) -> Iterator[Served]:
    """A dashboard over a database in which nothing has happened yet."""
    with _copy_of("template_migrated", postgres, postgres.url, "@/tracker?") as url, running_dashboard(url) as running:
        yield _served(running, url)


@pytest.fixture(scope="module")
def fresh(postgres: EmbeddedPostgres) -> Iterator[Served]:
    """The same, on which somebody may sign in, and which tests may write to in the order in which they stand."""
    with (
        _copy_of("template_migrated", postgres, postgres.url, "@/tracker?") as url,
        running_dashboard(url, DASHBOARD_PASSWORD=PASSWORD) as running,
    ):
        yield _served(running, url)


def _served(running: RunningDashboard, url: str) -> Served:
    return Served(url=running.url, database_url=url)


@contextmanager
def _copy_of(template: str, postgres: EmbeddedPostgres, url: str, name: str) -> Iterator[str]:
    copy = f"browser_{next(_numbers)}"
    aside(fetch(postgres.url, f"CREATE DATABASE {copy} TEMPLATE {template}"))
    try:
        yield url.replace(name, f"@/{copy}?")
    finally:
        aside(fetch(postgres.url, f"DROP DATABASE {copy} WITH (FORCE)"))

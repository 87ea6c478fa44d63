"""The pages Models and Shadow in a browser, on a filled database."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import pytest
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect, sync_playwright
from tracker.store.embedded import EmbeddedPostgres
from tracker.store.migrate import migrate
from tracker.testing.dashboard_process import RunningDashboard, running_dashboard
from tracker.testing.filled_database import Filled

CHROMIUM = shutil.which("chromium")
PHONE = ViewportSize(width=390, height=844)
DESK = ViewportSize(width=1400, height=1000)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield made
        made.close()


@pytest.fixture(scope="module")
def dashboard(filled: tuple[str, Filled]) -> Iterator[RunningDashboard]:
    with running_dashboard(filled[0]) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that has to do without errors in its console."""
    context = browser.new_context(viewport=DESK, timezone_id="Asia/Tokyo", locale="en-US")
    made = context.new_page()
    said: list[str] = []
    made.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: said.append(str(error)))
    yield made
    context.close()
    assert said == []


def card(page: Page, title: str) -> Locator:
    return page.locator("section.card").filter(has=page.locator(f"h2:text-is('{title}')"))


def execute(url: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(statement)
        await connection.close()

    # Playwright has a loop of its own in this thread.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(run())).result()


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_models(page: Page, dashboard: RunningDashboard, filled: tuple[str, Filled]) -> None:
    page.goto(f"{dashboard.url}/models")
    who = card(page, "Who decides")
    expect(who.locator("tbody tr")).to_have_count(len(filled[1].strategies))
    expect(who).to_contain_text("it stays")
    gate = card(page, "What the gate said")
    expect(gate).to_contain_text("All of it holds. It was promoted.")
    for title in ("Does it mean what it says?", "What it looks at", "What has moved since"):
        expect(card(page, title).locator("canvas")).to_be_visible()
    # A candidate that was refused, chosen in the list of all.
    page.locator(".ag-row").filter(has_text="candidate").first.click()
    expect(gate).to_contain_text("do not hold. It was not promoted.")
    expect(gate.locator("tr").filter(has_text="Deflated Sharpe")).to_contain_text("■ fail")
    expect(card(page, "What has moved since")).to_contain_text("It has not been watched yet.")
    # Nobody has signed in.
    expect(page.get_by_role("button", name="Promote")).to_be_disabled()
    page.get_by_role("button", name="Model card").click()
    expect(page.frame_locator("iframe[title='model card']").locator("h1")).to_contain_text("model")
    page.get_by_role("button", name="Close").click()


def test_models_are_shown_as_soon_as_they_change(
    page: Page, dashboard: RunningDashboard, filled: tuple[str, Filled]
) -> None:
    page.goto(f"{dashboard.url}/models")
    row = card(page, "Who decides").locator("tr").filter(has_text="swing")
    expect(row).to_contain_text("model")
    execute(filled[0], "UPDATE tracker.models SET status = 'retired', retired_at = now()"
                       " WHERE strategy = 'swing' AND status = 'champion'")  # fmt: skip
    try:
        expect(row).to_contain_text("the rule alone", timeout=10_000)
    finally:
        execute(filled[0], "UPDATE tracker.models SET status = 'champion', retired_at = NULL WHERE model_id = ("
                           "SELECT max(model_id) FROM tracker.models WHERE strategy = 'swing' AND status = 'retired'"
                           " AND promoted_at > now() - interval '30 days')")  # fmt: skip
    expect(row).not_to_contain_text("the rule alone", timeout=10_000)


def test_shadow(page: Page, dashboard: RunningDashboard, filled: tuple[str, Filled]) -> None:
    page.goto(f"{dashboard.url}/shadow")
    tried = card(page, "Tried")
    expect(tried.locator("tbody tr")).to_have_count(len(filled[1].strategies))
    for title in ("Return against deflation", "Does it stay?"):
        expect(card(page, title).locator("canvas")).to_be_visible()
    board = card(page, "Leaderboard")
    expect(board.locator(".ag-row").first).to_contain_text("%")
    page.get_by_role("button", name="dca", exact=True).click()
    expect(tried.locator("tbody tr")).to_have_count(1)
    expect(board.locator(".ag-row").first).to_contain_text("dca")
    expect(card(page, "Variation")).to_be_hidden()
    board.locator(".ag-row").first.click()
    chosen = card(page, "Variation")
    expect(chosen).to_be_visible()
    expect(chosen.locator("table").nth(1).locator("tbody tr")).to_have_count(4)
    expect(chosen).to_contain_text("tracker shadow promote")
    # Another window has other figures of the same variation at hand.
    page.get_by_role("button", name="7 days").click()
    expect(chosen).to_be_visible()


@pytest.mark.parametrize("path", ["models", "shadow"])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_they_fit_a_phone_in_dark_and_in_light(
    page: Page, dashboard: RunningDashboard, path: str, scheme: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size(PHONE)
    page.goto(f"{dashboard.url}/{path}")
    expect(page.locator("canvas").first).to_be_visible()
    assert fits(page)
    dark = page.evaluate("document.body.classList.contains('body--dark')")
    assert dark == (scheme == "dark")


def test_where_there_is_nothing_they_say_what_to_do(page: Page, postgres: EmbeddedPostgres) -> None:
    url = postgres.url.replace("@/tracker?", "@/nothing_yet?")
    execute(postgres.url, "DROP DATABASE IF EXISTS nothing_yet")
    execute(postgres.url, "CREATE DATABASE nothing_yet")
    migrate(url)
    with running_dashboard(url) as empty:
        page.goto(f"{empty.url}/models")
        expect(page.locator(".empty").first).to_contain_text("No model has been trained yet.")
        expect(page.locator("code", has_text="tracker train")).to_be_visible()
        page.goto(f"{empty.url}/shadow")
        expect(page.locator(".empty").first).to_contain_text("No variation has been tried yet.")
        page.goto("about:blank")

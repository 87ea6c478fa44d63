"""The page Strategies in a browser: the funnel is that of the database, and why is what `tracker why` says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Locator, Page, expect
from tracker.runtime.settings import PROJECT_ROOT
from tracker.store.database import Database
from tracker.testing.filled_database import Filled

from services.dashboard import formats
from services.dashboard.rulebook import Rulebook
from tests.browser.conftest import Served, Visit, aside, fetch

Lively = tuple[Served, Filled]


async def told(url: str, question: str, *arguments: object) -> Any:
    """Return what the page has to show, read without it."""
    database = await Database.open(url, role="tracker_reader", pool_size=1, application="test")
    try:
        async with database.transaction() as transaction:
            rules = Rulebook(PROJECT_ROOT / "configs", PROJECT_ROOT / "strategies")
            return await getattr(rules, question).read(transaction, *arguments)
    finally:
        await database.close()


def conditions(facts: Sequence[Any]) -> int:
    return sum(1 + conditions(each["parts"]) for each in facts)


def looks_of(served: Served, strategy: str, days: int) -> int:
    looks = aside(told(served.database_url, "looks", days))
    return sum(each.looks for each in looks.counts if each.strategy == strategy and each.account in (None, "paper"))


def card(page: Page, strategy: str) -> Locator:
    return page.locator(f"section:has(h2:text-is('{strategy}'))")


def test_funnel_states_and_reasons_are_shown_and_fit_in_any_look(lively: Lively, visit: Visit) -> None:
    served, held = lively
    today, week = looks_of(served, "dca", 1), looks_of(served, "dca", 7)
    assert 0 < today < week
    for view in ("phone", "dark", "light"):
        page = visit(f"{served.url}/strategies", view)
        for strategy in held.strategies:
            expect(card(page, strategy)).to_be_visible()
        looks = card(page, "dca").locator(".funnel-count").first
        expect(looks).to_have_text(formats.count(today))
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="7 days").click()
    expect(looks).to_have_text(formats.count(week))


def test_why_is_told_as_the_command_line_tells_it(lively: Lively, visit: Visit) -> None:
    served, held = lively
    symbol = held.symbols[1]
    document = aside(told(served.database_url, "why", "swing", symbol, None))
    page = visit(f"{served.url}/strategies?strategy=swing&symbol={symbol}")
    expect(page.locator(".why-says")).to_have_text(document["answer"])
    rows = page.locator("table").filter(has_text="Must be").locator("tbody tr")
    titles = {each["kind"] for each in document["conditions"]}
    expect(rows).to_have_count(conditions(document["conditions"]) + len(titles))


def test_a_click_on_a_near_look_tells_why_that_was_none(lively: Lively, visit: Visit) -> None:
    page = visit(f"{lively[0].url}/strategies", zone="America/New_York")
    near = card(page, "channel").locator("tr.choice").first
    symbol, at = (near.locator("td").nth(place).inner_text() for place in (0, 1))
    near.click()
    expect(page.get_by_label("Symbol", exact=True)).to_have_value(symbol)
    # The field has the close in the viewer's zone, as the row has it.
    page.wait_for_function(
        "(hour) => document.querySelector(\"input[type='datetime-local']\").value.endsWith(hour)", arg=at[-5:]
    )
    expect(page.locator(".why-answer time")).to_contain_text(at[-5:])


def test_a_paused_strategy_is_told_and_strangers_pause_nothing(lively: Lively, visit: Visit) -> None:
    served, _ = lively
    page = visit(f"{served.url}/strategies")
    expect(card(page, "swing").get_by_role("button", name="Pause", exact=True)).to_be_disabled()
    aside(fetch(
        served.database_url,
        "INSERT INTO tracker.protection_locks (account, protection, strategy, locked_at, until, observed, note)"
        " SELECT account, 'pause', 'swing', processed_through, processed_through + interval '10 years', 1, 'too wild'"
        " FROM tracker.paper_cursor WHERE account = 'paper'",
    ))  # fmt: skip
    expect(card(page, "swing")).to_contain_text("too wild")
    expect(card(page, "dca")).not_to_contain_text("too wild")
    held_back = visit(f"{served.url}/paper").locator("section:has(h2:text-is('What holds it back'))")
    expect(held_back).to_contain_text("too wild; until somebody ends it")


def test_an_empty_database_says_what_is_missing(empty: Served, visit: Visit) -> None:
    page = visit(f"{empty.url}/strategies")
    expect(page.locator("main.page")).to_contain_text("no 15m bar is complete yet")
    expect(page.locator("main.page")).to_contain_text("Choose a strategy and a symbol.")

"""The page Paper in a browser: what an account holds and earned is what stands in its books."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect
from tracker.testing.filled_database import Filled

from services.dashboard import formats
from tests.browser.conftest import Served, Visit, aside, fetch

Lively = tuple[Served, Filled]
ACCOUNT = "paper"
EQUITY = "SELECT equity::float8 FROM tracker.equity_curve WHERE account = $1 ORDER BY ts DESC LIMIT 1"
TRADES = "SELECT count(*) FROM tracker.trade_logs WHERE account = $1"


def card(page: Page, title: str) -> Locator:
    return page.locator(f"section:has(h2:text-is('{title}'))")


def test_figures_positions_and_trades_are_those_of_the_books(lively: Lively, visit: Visit) -> None:
    served, _ = lively
    equity, trades = served.value(EQUITY, ACCOUNT), served.value(TRADES, ACCOUNT)
    held = served.value(
        "SELECT count(*) FROM tracker.positions WHERE account = $1 AND status IN ('pending', 'open')", ACCOUNT
    )
    for view in ("phone", "dark", "light"):
        page = visit(f"{served.url}/paper", view)
        expect(card(page, "Equity and drawdown").locator("canvas")).to_be_visible()
        expect(page.locator(".stat-value").first).to_have_text(formats.money(equity))
        expect(card(page, "Positions").locator("tbody tr")).to_have_count(held)
        expect(card(page, "Trades").locator("tbody tr")).to_have_count(min(15, trades))
        expect(card(page, "Trades")).to_contain_text(f"of {formats.count(trades)}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_trades_are_turned_and_narrowed_down(lively: Lively, visit: Visit) -> None:
    served, _ = lively
    trades = served.value(TRADES, ACCOUNT)
    mine = served.value(f"{TRADES} AND strategy = 'dca'", ACCOUNT)
    assert trades > 15
    page = visit(f"{served.url}/paper")
    table = card(page, "Trades")
    page.get_by_label("Older").click()
    expect(table).to_contain_text(f"16\u2013{min(30, trades)} of {formats.count(trades)}")
    table.get_by_label("Strategy").click()
    page.get_by_role("option", name="dca", exact=True).click()
    expect(table).to_contain_text(f"{1 if mine else 0}\u2013{min(15, mine)} of {formats.count(mine)}")


def test_a_new_minute_of_the_books_arrives(lively: Lively, visit: Visit) -> None:
    served, _ = lively
    page = visit(f"{served.url}/paper")
    expect(page.locator(".stat-value").first).to_have_text(formats.money(served.value(EQUITY, ACCOUNT)))
    aside(fetch(
        served.database_url,
        "WITH last AS (SELECT * FROM tracker.equity_curve WHERE account = $1 ORDER BY ts DESC LIMIT 1),"
        " moved AS (UPDATE tracker.paper_cursor SET processed_through = processed_through + interval '1 minute'"
        "  WHERE account = $1)"
        " INSERT INTO tracker.equity_curve SELECT account, ts + interval '1 minute', cash + 1234.5, positions_value,"
        "  equity + 1234.5, realised_pnl, unrealised_pnl, fees, open_positions FROM last",
        ACCOUNT,
    ))  # fmt: skip
    expect(page.locator(".stat-value").first).to_have_text(formats.money(served.value(EQUITY, ACCOUNT)))


def test_an_empty_database_says_where_accounts_come_from(empty: Served, visit: Visit) -> None:
    expect(visit(f"{empty.url}/paper").locator("main.page")).to_contain_text("There is no paper account yet.")

"""What happens is seen without a reload, and what is commanded is done once it was confirmed."""

from __future__ import annotations

from typing import Any

import pytest

ACCOUNT = (
    "INSERT INTO tracker.accounts (account, currency, start_cash, opened_at, cash)"
    " VALUES ('paper', 'USD', 10000, now(), 10000) ON CONFLICT DO NOTHING"
)
CLOSE_A_BAR = (
    "INSERT INTO tracker.bar_watermarks (timeframe, opened_at, closed_through) VALUES ('1m', now() - interval '1 hour',"
    " date_trunc('minute', now())) ON CONFLICT (timeframe) DO UPDATE SET closed_through = excluded.closed_through"
)
PASSWORD = "a word for tests"


@pytest.fixture
def signed_in(page: Any, fresh: Any) -> Any:
    """The page of somebody who has come from a page and signed in."""
    page.goto(f"{fresh.url}/signin?next=/fleet")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.locator("main.page > h1", has_text="Fleet").wait_for()
    return page


def test_a_closed_bar_is_seen_without_a_reload(page: Any, fresh: Any) -> None:
    page.goto(fresh.url)
    page.get_by_text("no bar yet").wait_for()
    page.evaluate("window.sameLoad = true")
    fresh.rows(CLOSE_A_BAR)
    page.get_by_text("bars come").wait_for()
    assert page.evaluate("window.sameLoad")


def test_a_wrong_password_is_told_and_a_stranger_s_buttons_are_off(page: Any, fresh: Any) -> None:
    fresh.rows(ACCOUNT)
    page.goto(fresh.url)
    button = page.get_by_role("button", name="Halt")
    button.wait_for()
    assert button.is_disabled()
    assert button.get_attribute("title") == "Sign in to use this"
    page.locator(".sign-in").click()
    page.get_by_label("Password").fill("guess")
    with page.expect_response("**/signin") as answer:
        page.get_by_role("button", name="Sign in").click()
    assert answer.value.status == 401
    page.get_by_text("That was not right.").wait_for()


def test_a_confirmed_command_is_written_down_and_a_cancelled_one_is_not(signed_in: Any, fresh: Any) -> None:
    fresh.rows(ACCOUNT)
    page = signed_in
    page.goto(fresh.url)
    page.get_by_role("button", name="Halt", exact=True).click()
    dialog = page.locator(".dialog")
    dialog.get_by_role("button", name="Cancel").click()
    dialog.wait_for(state="detached")
    assert fresh.rows("SELECT FROM tracker.commands") == []
    page.get_by_role("button", name="Halt", exact=True).click()
    dialog.get_by_label("Why").fill("news at three")
    dialog.get_by_role("button", name="Halt").click()
    page.get_by_text("Halt: waiting. the paper trader answers as soon as it runs").wait_for()
    given = fresh.rows("SELECT account, kind::text, reason, requested_by FROM tracker.commands")
    assert given == [{"account": "paper", "kind": "halt", "reason": "news at three", "requested_by": "owner"}]
    written = fresh.rows(
        "SELECT who, address, action, subject, outcome FROM dashboards.audit_log WHERE action <> 'sign_in'"
    )
    assert written == [
        {"who": "owner", "address": "127.0.0.1", "action": "halt", "subject": "paper", "outcome": "waiting"}
    ]
    page.goto(f"{fresh.url}/fleet")
    page.get_by_role("cell", name="news at three").wait_for()


def test_who_signs_out_can_command_nothing_more(signed_in: Any, fresh: Any) -> None:
    page = signed_in
    page.get_by_label("Account", exact=True).click()
    page.get_by_text("signed in as owner").wait_for()
    page.get_by_text("Sign out").click()
    page.locator(".sign-in").wait_for()
    assert page.get_by_role("button", name="Halt", exact=True).is_disabled()

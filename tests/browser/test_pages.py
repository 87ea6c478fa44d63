"""Every page in a browser: wide and narrow, dark and light, full and empty."""

from __future__ import annotations

from typing import Any

import pytest
from tracker.testing.dashboard_process import running_dashboard

from services.dashboard.places import PAGES

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# What is drawn: charts, grids and tables that have not come yet are waited for.
DRAWN = """() => [...document.querySelectorAll('.nicegui-echart')].every((e) => e.offsetParent === null ||
  e.querySelector('canvas, svg')) && [...document.querySelectorAll('.nicegui-aggrid')].every((e) => e.querySelector(
  '.ag-root'))"""
IS_DARK = "document.body.classList.contains('body--dark')"


def opened(page: Any, url: str, path: str, title: str) -> None:
    page.goto(url + path)
    page.locator("main.page > h1", has_text=title).wait_for()
    page.wait_for_function(DRAWN)


@pytest.mark.parametrize("place", PAGES, ids=lambda each: each.title)
def test_a_page_fits_and_says_nothing_wrong_in_any_look(
    page: Any, lively: Any, place: Any
) -> None:
    opened(page, lively[0].url, place.path, place.title)
    assert page.locator(".q-drawer .place.here").inner_text().strip().endswith(place.title)
    for width, scheme in ((1280, "light"), (1280, "dark"), (390, "dark"), (390, "light")):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_function(f"{IS_DARK} === {'true' if scheme == 'dark' else 'false'}")
        page.wait_for_function(f"{OVERFLOW} <= 0")
        banner = page.locator(".top .banner")
        assert banner.is_visible()
        assert "SIMULATED" in banner.inner_text()
    assert page.locator("main.page .card").count() > 0


@pytest.mark.parametrize("place", PAGES, ids=lambda each: each.title)
def test_an_empty_page_says_what_is_missing(page: Any, empty: Any, place: Any) -> None:
    opened(page, empty.url, place.path, place.title)
    said = page.locator(".empty:visible, .nothing:visible")
    said.first.wait_for()
    assert all(len(each.strip()) > 10 for each in said.all_inner_texts())
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function(f"{OVERFLOW} <= 0")


@pytest.mark.parametrize(("source", "words"), [("replay", "REPLAY"), ("kraken", None)])
def test_no_page_leaves_it_open_whether_prices_are_real(
    page: Any, lively: Any, source: str, words: str | None
) -> None:
    with running_dashboard(lively[0].database_url, TRACKER_SOURCE=source) as running:
        for place in PAGES:
            page.goto(running.url + place.path)
            page.locator("main.page > h1").wait_for()
            banner = page.locator(".top .banner")
            assert banner.count() == (1 if words else 0)
            assert words is None or words in banner.inner_text()
        # A page that is left loses nothing when the dashboard goes.
        page.goto("about:blank")


def test_the_theme_is_kept_by_the_browser(page: Any, lively: Any) -> None:
    opened(page, lively[0].url, "/", "Overview")
    theme = page.get_by_label("Theme")
    for name, dark in (("light", "false"), ("dark", "true")):
        theme.click()
        page.wait_for_function(f"{IS_DARK} === {dark} && document.cookie.includes('tracker_theme={name}')")
    opened(page, lively[0].url, "/fleet", "Fleet")
    page.wait_for_function(IS_DARK)


def test_another_account_is_shown_when_it_is_chosen(
    page: Any, lively: Any
) -> None:
    opened(page, lively[0].url, "/", "Overview")
    other = next(each for each in lively[1].accounts if each != "paper")
    shown = page.locator("section", has=page.get_by_role("heading", name="Today", exact=True))
    assert "paper" in shown.inner_text()
    page.locator(".account").click()
    page.get_by_role("option", name=other).click()
    shown.get_by_text(other).wait_for()


def test_times_are_in_the_viewer_s_zone(browser: Any, lively: Any) -> None:
    seen: list[str] = []
    for zone in ("Europe/Berlin", "Asia/Kolkata"):
        context = browser.new_context(timezone_id=zone, locale="en-GB")
        viewer = context.new_page()
        opened(viewer, lively[0].url, "/data", "Data")
        seen.append(viewer.locator(".small-table tbody tr").first.inner_text())
        context.close()
    assert seen[0] != seen[1]

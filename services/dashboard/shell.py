"""The frame around every page: name, menu, mode, health, account and theme."""

from __future__ import annotations

from urllib.parse import unquote

from fastapi import Request
from nicegui import ui
from tracker.domain.errors import TrackerError
from tracker.store.pages.overview import HealthFacts
from tracker.store.pages.shell import Account, ServiceState

from services.dashboard.access.guard import SIGN_IN
from services.dashboard.context import Page, PageContext
from services.dashboard.elements.parts import Light, empty
from services.dashboard.health_card import HEALTH, SERVICES, fleet_light
from services.dashboard.pages.overview import ACCOUNTS

# What prices are, where they are not a market's of this moment.
BANNERS = {
    "simulated": ("SIMULATED", "made-up prices of the built-in exchange"),
    "replay": ("REPLAY", "prices of the past, played again"),
}
THEMES = {"auto": ("brightness_auto", None), "light": ("light_mode", False), "dark": ("dark_mode", True)}
RETRY_SECONDS = 5.0
ACCOUNT_COOKIE, THEME_COOKIE, ZONE_COOKIE = "tracker_account", "tracker_theme", "tracker_zone"


def choose_account(accounts: tuple[Account, ...], wanted: str, usual: str) -> Account | None:
    """Return the account that the viewer chose, else the usual one, else the oldest."""
    by_name = {each.account: each for each in accounts}
    return by_name.get(wanted) or by_name.get(usual) or next(iter(accounts), None)


def cookie(request: Request, name: str) -> str:
    """Return what the browser keeps under a name, or nothing."""
    return unquote(request.cookies.get(name, ""))


async def frame(
    request: Request, page: Page, pages: tuple[Page, ...], context: PageContext, accounts: tuple[Account, ...]
) -> None:
    """Build a page within its frame; what the database cannot tell now is said on the page."""
    ui.page_title(f"{page.title} · Crypto Tracker")
    if context.token is not None:
        ui.add_head_html(f'<meta name="tracker-token" content="{context.token}">')
    theme = cookie(request, THEME_COOKIE)
    ui.add_body_html(first_sight(page.title, context.settings.source, theme))
    dark = ui.dark_mode(THEMES.get(theme, THEMES["auto"])[1])
    drawer = _menu(page, pages)
    with ui.header().classes("top").props("height-hint=52"):
        with ui.element("div").style("width: 100%"):
            _banner(context.settings.source)
            with ui.element("div").classes("bar"):
                ui.button(icon="menu", on_click=drawer.toggle).props("flat round dense aria-label=Menu")
                ui.link("Crypto Tracker", "/").classes("name wide")
                health = Light()
                ui.element("span").classes("grow")
                _account_choice(accounts, context.account)
                _theme_button(dark, theme)
                _signed_in(context)

    states: tuple[ServiceState, ...] = ()
    facts: HealthFacts | None = None

    def show_services(found: tuple[ServiceState, ...]) -> None:
        nonlocal states
        states = found
        health.show(*fleet_light(states, facts))

    def show_health(found: HealthFacts) -> None:
        nonlocal facts
        facts = found
        health.show(*fleet_light(states, facts))

    with ui.element("main").classes("page"):
        ui.element("h1").add_slot("default", page.title)
        try:
            await context.reader.watch(show_services, SERVICES)
            await context.reader.watch(show_health, HEALTH)
            if context.account is None:
                # The page was built for nobody's account: once there is one it is built anew.
                await context.reader.watch(lambda found: ui.navigate.reload() if found else None, ACCOUNTS)
            await page.build(context)
        except TrackerError as error:
            if not error.retryable:
                raise
            empty("The database does not answer.", f"This page shows its figures again when it does: {error}")
            ui.timer(RETRY_SECONDS, ui.navigate.reload, once=True)


def first_sight(title: str, source: str, theme: str) -> str:
    """Return what is seen until the browser has read its scripts: the frame, and whether prices are real."""
    word, meaning = BANNERS.get(source, ("", ""))
    banner = f'<div class="banner {source}">{word} <small>{meaning}</small></div>' if word else ""
    look = theme if theme in THEMES else "auto"
    return (
        f'<div id="first-sight" class="{look}">{banner}<div class="bar"><span class="name">Crypto Tracker</span></div>'
        f"<h1>{title}</h1></div>"
    )


def _banner(source: str) -> None:
    if source in BANNERS:
        word, meaning = BANNERS[source]
        with ui.element("div").classes(f"banner {source}").props("role=status"):
            ui.element("span").add_slot("default", f"{word} <small>{meaning}</small>")


def _menu(page: Page, pages: tuple[Page, ...]) -> ui.left_drawer:
    with ui.left_drawer(value=None).props("width=200 breakpoint=1023") as drawer:
        for each in pages:
            with ui.link(target=each.path).classes("place here" if each is page else "place"):
                ui.icon(each.icon)
                ui.label(each.title)
    return drawer


def _account_choice(accounts: tuple[Account, ...], chosen: str | None) -> None:
    if len(accounts) < 2 or chosen is None:
        return
    ui.select(
        [each.account for each in accounts],
        value=chosen,
        on_change=lambda event: ui.run_javascript(
            f"tracker.cookie({ACCOUNT_COOKIE!r}, {event.value!r}); location.reload()"
        ),
    ).props("dense outlined options-dense aria-label=Account").classes("account")


def _signed_in(context: PageContext) -> None:
    if context.signed_in_as is not None:
        with ui.button(icon="account_circle").props("flat round dense aria-label=Account"), ui.menu():
            ui.menu_item(f"signed in as {context.signed_in_as}").props("disable")
            ui.menu_item("Sign out", on_click=lambda: ui.run_javascript("tracker.signOut()"))
    elif context.can_sign_in:
        with ui.link(target=SIGN_IN).classes("sign-in"):
            ui.icon("login")
            ui.label("Sign in").classes("wide")


def _theme_button(dark: ui.dark_mode, theme: str) -> None:
    names = list(THEMES)
    state = {"name": theme if theme in THEMES else "auto"}
    with ui.button(icon=THEMES[state["name"]][0]).props("flat round dense aria-label=Theme") as button:
        tip = ui.tooltip(f"theme: {state['name']}")

    def turn() -> None:
        name = state["name"] = names[(names.index(state["name"]) + 1) % len(names)]
        dark.value = THEMES[name][1]
        button.props(f"icon={THEMES[name][0]}")
        tip.set_text(f"theme: {name}")
        ui.run_javascript(f"tracker.cookie({THEME_COOKIE!r}, {name!r})")

    button.on_click(turn)

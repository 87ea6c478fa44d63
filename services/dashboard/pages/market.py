"""Market: what do prices do, and what was decided and traded on them?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui
from tracker.domain.timeframe import Timeframe
from tracker.quant.features.catalogue import FEATURE_SET
from tracker.store.pages.market import (
    DayCoverage,
    SymbolHeat,
    WatchedSymbol,
    read_coverage,
    read_heat,
)

from services.dashboard import formats
from services.dashboard.candle_chart import CandleChart
from services.dashboard.charts.coverage import coverage_options
from services.dashboard.charts.heat import heat_options
from services.dashboard.charts.overlays import OVERLAYS
from services.dashboard.context import PageContext
from services.dashboard.elements.columns import Column
from services.dashboard.elements.controls import chooser, toggle
from services.dashboard.elements.parts import Stat, empty, section
from services.dashboard.elements.sent_chart import SentChart
from services.dashboard.elements.small_table import SmallTable
from services.dashboard.market_panel import WATCHED, Choice, MarketPanel, events_of
from services.dashboard.reader import Question

HEAT = Question(read=read_heat, seconds=1.9)
COVERAGE = Question(read=read_coverage, seconds=300.0, with_bars=False)
TIMEFRAMES = [each.value for each in Timeframe]
# Features are computed at the closes of these, since strategies decide there.
WITH_FEATURES = (Timeframe.M15, Timeframe.H1)
EVENTS = (
    Column(name="at", label="When", look="moment"), Column(name="what", label="What"),
    Column(name="strategy", label="Strategy"), Column(name="price", label="Price", look="price"),
    Column(name="says", label=""),
)  # fmt: skip
ALL = "all symbols"
CHART_HEIGHT, HEAT_HEIGHT, CALENDAR_HEIGHT = 590, 640, 220


async def build(page: PageContext) -> None:
    """Build the page."""
    watched = await page.reader.ask(WATCHED)
    if not watched:
        with section("Market"):
            empty(
                "No symbol is watched yet.",
                "The data collector takes them in when it starts: `tracker up` starts it, and the page Fleet says how"
                " it is. They come from configs/universe.toml.",
            )
        return
    await _Market(page, watched, await page.reader.ask(HEAT)).build()


class _Market:
    """The page of one viewer: what is chosen, and what has to follow when that changes."""

    def __init__(
        self, page: PageContext, watched: tuple[WatchedSymbol, ...], heat: tuple[SymbolHeat, ...]
    ) -> None:
        self._page = page
        self._by_name = {each.symbol: each for each in watched}
        asked: dict[str, str] = dict(ui.context.client.request.query_params)
        usual = next((each.symbol for each in heat), watched[0].symbol)
        self._symbol = asked["symbol"] if asked.get("symbol") in self._by_name else usual
        self._timeframe = Timeframe(asked["timeframe"] if asked.get("timeframe") in TIMEFRAMES else "15m")
        self._over: tuple[str, ...] = ("ema_21",)
        self._below: str | None = "rsi_14"
        self._hours = 24
        self._heat: tuple[SymbolHeat, ...] = ()
        self._coverage_of: str | None = None
        self._painted: tuple[object, ...] = ()

    async def build(self) -> None:
        with section("Chart", span=8):
            self._controls()
            with ui.element("div").classes("stats"):
                self._price, self._hour, self._day = Stat("Last price"), Stat("1 hour"), Stat("24 hours")
                self._turnover = Stat("Turnover 24 h")
            self._note = ui.label().classes("quiet")
            chart = CandleChart(CHART_HEIGHT)
        with section("Heat map", span=4, note="size: turnover of 24 hours; blue rose, orange fell"):
            with ui.element("div").classes("controls"):
                toggle({1: "1 h", 24: "24 h"}, self._hours, self._choose_hours)
            self._map = SentChart(HEAT_HEIGHT)
        with section("Signals and fills", span=6, note="of the chart's symbol, over its bars"):
            events = SmallTable(EVENTS, "Nothing was proposed or traded in this time: the page Strategies says why.")
        self._panel = MarketPanel(
            self._page.reader, self._page.account, chart, lambda trading: events.set_rows(events_of(trading))
        )
        with section("Coverage", span=6, note="days (UTC) by the share of bars that they have"):
            with ui.element("div").classes("controls"):
                self._of = toggle([ALL, self._symbol], ALL, self._choose_coverage)
            self._no_days = empty(
                "No day has been counted yet.",
                "The data scheduler counts bars by the day: the page Data says when it last did.",
            )
            self._calendar = SentChart(CALENDAR_HEIGHT)
        await self._page.reader.watch(self._show_heat, HEAT)
        self._coverage = await self._page.reader.watch(self._show_coverage, COVERAGE, None)
        await self._show()

    def _controls(self) -> None:
        def choose(name: str, of: Callable[[Any], Any]) -> Callable[[Any], Awaitable[None]]:
            return lambda event: self._choose(**{name: of(event.value)})

        overlays = {name: each.title for name, each in OVERLAYS.items()}
        below = {"": "nothing", **{each: formats.words(each) for each in FEATURE_SET.names}}
        with ui.element("div").classes("controls"):
            self._symbol_choice = chooser(
                "Symbol", list(self._by_name), self._symbol, choose("symbol", str), typed=True
            )
            toggle(TIMEFRAMES, self._timeframe.value, choose("timeframe", Timeframe))
            chooser("On the price", overlays, list(self._over), choose("over", tuple), many=True)
            chooser("Below", below, self._below or "", choose("below", lambda name: name or None), typed=True)

    async def _choose(self, **changes: Any) -> None:
        """Take over what was chosen, tell the address of it, and show it."""
        if changes.get("symbol", self._symbol) not in self._by_name:
            return
        before = (self._symbol, self._timeframe, self._over, self._below)
        for name, value in changes.items():
            setattr(self, f"_{name}", value)
        if before == (self._symbol, self._timeframe, self._over, self._below):
            return
        self._symbol_choice.set_value(self._symbol)
        self._of.set_options([ALL, self._symbol], value=ALL if self._coverage_of is None else self._symbol)
        ui.run_javascript(
            f"history.replaceState(null, '', '/market?symbol={self._symbol}&timeframe={self._timeframe.value}')"
        )
        await self._show()

    async def _show(self) -> None:
        self._show_heat(self._heat)
        await self._panel.show(
            Choice(symbol=self._symbol, timeframe=self._timeframe, over=self._over, below=self._below)
        )
        self._note.set_text(_said(self._panel, self._symbol, self._timeframe, self._over, self._below))

    def _choose_hours(self, event: Any) -> None:
        self._hours = event.value
        self._show_heat(self._heat)

    async def _choose_coverage(self, event: Any) -> None:
        self._coverage_of = None if event.value == ALL else self._symbol
        await self._coverage.ask_for(COVERAGE, self._coverage_of)

    def _show_heat(self, heat: tuple[SymbolHeat, ...]) -> None:
        self._heat = heat
        painted = (heat, self._hours, self._symbol)
        if painted != self._painted:
            self._painted = painted
            self._paint(heat_options(heat, hours=self._hours, chosen=self._symbol))
        found = next((each for each in heat if each.symbol == self._symbol), None)
        self._price.show(formats.price(found.price if found else None))
        for stat, change in ((self._hour, found and found.change_1h), (self._day, found and found.change_24h)):
            stat.show(formats.signed_percent(change), tone=formats.tone(change))
        self._turnover.show(compact(found.turnover if found else None))

    def _paint(self, options: dict[str, Any]) -> None:
        if self._map.chart is not None:
            self._map.replace_series(options["series"])
            return
        self._map.draw(options)
        if self._map.chart is not None:
            self._map.chart.on_point_click(lambda event: self._choose(symbol=event.name))

    def _show_coverage(self, days: tuple[DayCoverage, ...]) -> None:
        is_known = any(each.expected for each in days)
        self._no_days.set_visibility(not is_known)
        self._calendar.place.set_visibility(is_known)
        if is_known:
            self._calendar.draw(coverage_options(days))


def compact(value: float | None) -> str:
    """Return a large amount in thousands, millions or billions: 435.8 M."""
    if value is None:
        return formats.NONE
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:,.1f} {letter}"
    return f"{value:,.0f}"


def _said(
    panel: MarketPanel, symbol: str, timeframe: Timeframe, over: tuple[str, ...], below: str | None
) -> str:
    """Return what is missing from a chart and why, nothing where it is whole."""
    if not panel.bars.ts:
        return f"No {timeframe} bar of {symbol} yet: the next minute brings it, or the page Data says why not."
    if (over or below) and not panel.features:
        if timeframe not in WITH_FEATURES:
            return f"Features are computed at the closes of {' and '.join(WITH_FEATURES)}: choose one of them."
        return "No features of these bars yet: the feature calculator writes them with the next close."
    return ""



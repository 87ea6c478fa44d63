"""Shadow: which variation would have done best, and how much of that is luck?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from nicegui import background_tasks, events, ui
from tracker.store.pages.shadow import (
    Point,
    Progress,
    Window,
    read_shadow_progress,
    read_shadow_window,
    read_variation,
)

from services.dashboard import formats
from services.dashboard.charts.clouds import BEYOND_LUCK, deflation_options, halves_options
from services.dashboard.context import PageContext
from services.dashboard.elements.columns import Column
from services.dashboard.elements.controls import toggle
from services.dashboard.elements.grid import Grid
from services.dashboard.elements.parts import Stat, empty, section
from services.dashboard.elements.prose import Prose
from services.dashboard.elements.sent_chart import SentChart
from services.dashboard.elements.small_table import SmallTable
from services.dashboard.reader import Question

PROGRESS = Question(read=read_shadow_progress, seconds=1.0, with_bars=False)
# Outcomes change once an hour, and their moment is asked for with them.
WINDOW = Question(read=read_shadow_window, seconds=600.0, with_bars=False)
VARIATION = Question(read=read_variation, seconds=600.0, with_bars=False)

WINDOWS = {"1d": "1 day", "7d": "7 days", "30d": "30 days", "all": "all"}
EVERY = ""
ROOMY = "padding='2px 12px'"

LEADERS = (
    Column(name="place", label="#", look="count", width=58), Column(name="strategy", label="Strategy", width=98),
    Column(name="total_return", label="Return", look="signed_percent", width=92),
    Column(name="dsr", label="Deflated Sharpe", look="percent", width=142),
    Column(name="changed", label="What it changes", hint="changed", width=290),
    Column(name="trades", label="Trades", look="count", width=85),
    Column(name="excess_return", label="over live", look="signed_percent", width=100),
    Column(name="sharpe", label="Sharpe", look="number", width=88),
    Column(name="lower_bound", label="Trade, at least", look="signed_percent", width=130),
    Column(name="first_half_return", label="1st half", look="signed_percent", width=95),
    Column(name="second_half_return", label="2nd half", look="signed_percent", width=95),
    Column(name="max_drawdown", label="Drawdown", look="percent", width=105),
    Column(name="source", label="Set", width=115), Column(name="id", label="Id", width=95),
)  # fmt: skip
CHANGES = (Column(name="name", label="Parameter"), Column(name="value", label="Value", look="number"))
OUTCOMES = (
    Column(name="window", label="Window"), Column(name="place", label="Place", look="count"),
    Column(name="trades", label="Trades", look="count"),
    Column(name="total_return", label="Return", look="signed_percent"),
    Column(name="excess_return", label="over live", look="signed_percent"),
    Column(name="sharpe", label="Sharpe", look="number"), Column(name="dsr", label="Deflated Sharpe", look="percent"),
    Column(name="lower_bound", label="Trade, at least", look="signed_percent"),
    Column(name="max_drawdown", label="Drawdown", look="percent"),
)  # fmt: skip
TRIED = (
    Column(name="strategy", label="Strategy"), Column(name="decides", label="Decides"),
    Column(name="closed_through", label="Tried through", look="moment"),
    Column(name="variations", label="Variations", look="count"), Column(name="traded", label="Traded", look="count"),
    Column(name="gained", label="Gained", look="count"), Column(name="beyond", label="Beyond luck", look="count"),
    Column(name="best", label="Best return", look="signed_percent"),
    Column(name="live", label="Live return", look="signed_percent"),
    Column(name="signals", label="Signals, 1 day", look="count"),
    Column(name="held_back", label="held back", look="count"),
)  # fmt: skip


async def build(page: PageContext) -> None:
    """Build the page of the shadow."""
    view = _ShadowView(page)
    await view.build()
    await page.reader.watch(view.show_progress, PROGRESS)


class _ShadowView:
    """What is chosen, and what of it is shown."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._span, self._strategy, self._variation = "30d", EVERY, EVERY
        self._wants_view = False
        self._progress: Sequence[Progress] = ()
        self._window = Window(points=(), leaders=())

    async def build(self) -> None:
        # At once, so that the page is sent with its figures.
        self._progress = await self._page.reader.ask(PROGRESS)
        self._nothing = empty(
            "No variation has been tried yet.",
            "The shadow tester begins with the first close that a scanner has decided on; `tracker status` says how far"
            " they are, and configs/shadow.toml what is tried.",
        )  # fmt: skip
        self._unjudged = empty(
            "No outcome yet.", "Variations are judged for the first time when they have lived through a full hour."
        )
        for each in (self._nothing, self._unjudged):
            each.style("grid-column: span 12")
        with section("Tried", span=12, note="each variation has an account of its own") as tried:
            self._choices()
            with ui.element("div").classes("stats").style("margin-bottom: 10px"):
                self._count, self._gained = Stat("Variations"), Stat("Gained")
                self._beyond, self._best = Stat("Beyond luck"), Stat("Best by deflation")
            self._tried = SmallTable(TRIED, "")
        with section("Return against deflation", span=6, note="one point a variation") as scatter:
            self._scatter = SentChart(height=360)
            ui.label(
                "How likely its Sharpe ratio is more than the best of all would have by luck. Above the line it would"
                " count; what lies at the bottom, however far right, was lucky."
            ).classes("quiet")
        with section("Does it stay?", span=6, note="first half of the window against the second") as halves:
            self._halves = SentChart(height=360)
            ui.label(
                "What is good in both halves lies in the upper right. A cloud without direction says that the past told"
                " nothing of what followed."
            ).classes("quiet")
        with section("Leaderboard", span=12, note="the best 200 and what is live; click one to see it below") as board:
            self._leaders = Grid(LEADERS, "", row_id="variation", height=430, chosen=lambda row: self._choose(row))
        with section("Variation", span=12) as self._one:
            self._name = ui.label().classes("code")
            self._advice = Prose()
            self._advice.element.classes("quiet").style("margin-bottom: 8px")
            with ui.element("div").style("display: flex; flex-wrap: wrap; gap: 16px 40px"):
                self._changes = SmallTable(CHANGES, "It changes nothing.").style("min-width: 220px")
                self._outcomes = SmallTable(OUTCOMES, "It was not judged yet.").style("flex: 1; min-width: 0")
        self._judged_parts = (scatter, halves, board)
        self._tried_part = tried
        self._watch = await self._page.reader.watch(
            self._show_window, WINDOW, self._span, self._strategy, self._as_of
        )
        self._detail = await self._page.reader.watch(self._show_variation, VARIATION, EVERY, self._as_of)
        for each in (self._scatter, self._halves):
            if each.chart is not None:
                each.chart.on_point_click(self._choose_point)

    def _choices(self) -> None:
        with ui.element("div").classes("lights").style("margin-bottom: 12px"):
            toggle(WINDOWS, self._span, lambda event: self._ask(span=event.value)).props(ROOMY)
            self._strategies = toggle({EVERY: "all strategies"}, EVERY, lambda event: self._ask(strategy=event.value))
            self._strategies.props(ROOMY)

    @property
    def _as_of(self) -> datetime | None:
        return max((each.as_of for each in self._progress if each.as_of is not None), default=None)

    def show_progress(self, progress: Sequence[Progress]) -> None:
        """Show how far all is, and ask for the outcomes where there are newer ones."""
        before = self._as_of
        self._progress = progress
        self._nothing.set_visibility(not progress)
        self._tried_part.set_visibility(bool(progress))
        self._unjudged.set_visibility(bool(progress) and self._as_of is None)
        for each in self._judged_parts:
            each.set_visibility(self._as_of is not None)
        self._one.set_visibility(self._variation != EVERY)
        names = {EVERY: "all strategies", **{each.strategy: each.strategy for each in progress}}
        if names != self._strategies.options:
            self._strategies.set_options(names, value=self._strategy)
        if before != self._as_of:
            self._ask()
        else:
            self._show_counts()

    def _ask(self, span: str | None = None, strategy: str | None = None) -> None:
        self._span = self._span if span is None else span
        self._strategy = self._strategy if strategy is None else strategy
        background_tasks.create(self._watch.ask_for(WINDOW, self._span, self._strategy, self._as_of))
        if self._variation != EVERY:
            background_tasks.create(self._detail.ask_for(VARIATION, self._variation, self._as_of))

    def _show_window(self, window: Window) -> None:
        self._window = window
        names = [each.strategy for each in self._progress]
        self._scatter.draw(deflation_options(window.points, names))
        self._halves.draw(halves_options(window.points, names))
        self._leaders.set_rows(leader_rows(window.leaders))
        self._show_counts()

    def _show_counts(self) -> None:
        points = self._window.points
        gained, beyond = (sum(each) for each in ((p.total_return > 0 for p in points), (is_beyond(p) for p in points)))
        traded = sum(p.trades > 0 for p in points)
        self._count.show(formats.count(len(points)), f"{formats.count(traded)} have traded")
        self._gained.show(formats.count(gained), f"{formats.percent(gained / traded if traded else None)} of those")
        self._beyond.show(
            formats.count(beyond), f"{BEYOND_LUCK:.0%} sure or more", "good" if beyond else "plain"
        )
        best = max(points, key=lambda p: -1.0 if p.dsr is None else p.dsr, default=None)
        self._best.show(
            formats.percent(best.dsr if best else None),
            f"{formats.signed_percent(best.total_return)}, {best.strategy}" if best else "",
        )
        shown = [each for each in self._progress if self._strategy in (EVERY, each.strategy)]
        self._tried.set_rows(tried_rows(shown, points))

    def _choose(self, row: Mapping[str, Any]) -> None:
        self._wants_view = True
        self._variation = str(row["variation"])
        background_tasks.create(self._detail.ask_for(VARIATION, self._variation, self._as_of))

    def _choose_point(self, event: events.EChartPointClickEventArguments) -> None:
        if isinstance(event.value, list) and len(event.value) > 2:
            self._choose({"variation": event.value[2]})

    def _show_variation(self, outcomes: Sequence[Mapping[str, Any]]) -> None:
        self._one.set_visibility(bool(outcomes))
        if not outcomes:
            return
        if self._wants_view:
            self._wants_view = False
            ui.run_javascript(f"getHtmlElement({self._one.id}).scrollIntoView({{block: 'nearest'}})")
        first = outcomes[0]
        self._name.set_text(f"{first['strategy']} {first['variation']} · {first['source']}")
        self._advice.set_text(
            "It is in force." if first["is_live"]
            else f"`tracker shadow show {first['variation']}` has its trades;"
            f" `tracker shadow promote {first['variation']} --dry-run` says what the gate makes of it."
        )  # fmt: skip
        self._changes.set_rows([{"name": name, "value": value} for name, value in first["changes"].items()])
        self._outcomes.set_rows(
            [{**each, "window": WINDOWS[each["span"]], "sharpe": _digits(each["sharpe"])} for each in outcomes]
        )


def is_beyond(point: Point) -> bool:
    """Return whether luck is ruled out."""
    return point.dsr is not None and point.dsr >= BEYOND_LUCK


def changes_in_words(changes: Mapping[str, Any]) -> str:
    """Return what a variation changes: drop_atr 5.2, min_strength 0.6; rules by the last part of their path."""
    return ", ".join(f"{name.rpartition('.')[2]} {value:g}" for name, value in changes.items())


def leader_rows(leaders: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each of the best."""
    return [
        {
            **{name: value for name, value in each.items() if name not in ("changes", "hours", "mean_trade_return")},
            "changed": "in force" if each["is_live"] else changes_in_words(each["changes"]) or "the file",
            "id": str(each["variation"])[:8], "sharpe": _digits(each["sharpe"]),
        }
        for each in leaders
    ]  # fmt: skip


def tried_rows(progress: Iterable[Progress], points: Sequence[Point]) -> list[dict[str, Any]]:
    """Return a row for each strategy: how many variations did what, beside what is live."""
    rows: list[dict[str, Any]] = []
    for each in progress:
        own = [point for point in points if point.strategy == each.strategy]
        rows.append({
            "strategy": each.strategy, "variations": each.variations,
            "traded": sum(point.trades > 0 for point in own), "gained": sum(point.total_return > 0 for point in own),
            "beyond": sum(map(is_beyond, own)), "best": max((point.total_return for point in own), default=None),
            "live": next((point.total_return for point in own if point.is_live), None), "signals": each.signals,
            "held_back": each.held_back, "closed_through": each.closed_through,
            "decides": "the rule alone" if each.model_id is None else f"model {each.model_id}",
        })  # fmt: skip
    return rows


def _digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.3g}")

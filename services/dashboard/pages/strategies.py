"""Strategies: do they look at the market, how far do looks come, and why was there a trade or none?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from nicegui import ui
from tracker.domain.errors import ConfigError
from tracker.domain.funnel import FunnelStep, StepCount, funnel_of
from tracker.store.pages.paper import Lock

from services.dashboard.context import PageContext
from services.dashboard.elements.columns import Column
from services.dashboard.elements.command import CommandButton
from services.dashboard.elements.controls import toggle
from services.dashboard.elements.funnel_bars import FunnelBars
from services.dashboard.elements.local_time import LocalTime
from services.dashboard.elements.parts import Light, empty, section
from services.dashboard.elements.small_table import SmallTable
from services.dashboard.pages.paper import LOCKS
from services.dashboard.rulebook import NEAREST, Looks, StrategyState, rulebook
from services.dashboard.why_card import WhyCard

# What people call the steps of tracker.domain.funnel.
STEPS = {
    FunnelStep.SCANS: "looks", FunnelStep.SETUPS: "setups", FunnelStep.SCORED: "signals",
    FunnelStep.APPROVED: "orders", FunnelStep.FILLED: "fills", FunnelStep.CLOSED: "trades",
}  # fmt: skip
PERIODS = {1: "Today", 7: "7 days"}
MOST_REASONS = 8
REASONS = (
    Column(name="reason", label="Went no further", look="words"), Column(name="after", label="After"),
    Column(name="count", label="Looks", look="count"),
)  # fmt: skip
NEAREST_COLUMNS = (
    Column(name="symbol", label="Nearest"), Column(name="decided_at", label="Close", look="time"),
    Column(name="reason", label="Stopped by", look="words"),
)  # fmt: skip


async def build(page: PageContext) -> None:
    """Build the page."""
    try:
        rules = rulebook(page.settings.config_dir, page.settings.strategies_dir)
    except ConfigError as error:
        with section("Strategies"):
            empty("A strategy's file cannot be used.", f"{error}. `tracker config check` says the same.")
        return
    with ui.element("div").classes("span-12 controls"):
        period = toggle(PERIODS, 1)
        ui.label("of event time, days are UTC").classes("quiet")
        if page.account is not None and not page.token:
            ui.label(f"To pause: {page.how_to_command[0].lower()}{page.how_to_command[1:]}.").classes("quiet")
    why = WhyCard(page, rules)
    cards = _Cards(page, [each.strategy for each in await page.reader.ask(rules.states)], why)
    await page.reader.watch(cards.show_states, rules.states)
    if page.account is not None:
        await page.reader.watch(cards.show_locks, LOCKS, page.account)
    watch = await page.reader.watch(cards.show_looks, rules.looks, period.value)
    period.on_value_change(lambda event: watch.ask_for(rules.looks, event.value))
    await why.build()


class _Cards:
    """A card a strategy."""

    def __init__(self, page: PageContext, names: Sequence[str], why: WhyCard) -> None:
        self._account = page.account
        self._cards = {name: _Card(page, name, why) for name in names}
        if not names:
            with section("Strategies"):
                empty(
                    "No strategy looks at the market.",
                    "A strategy is scanned when it has a row in configs/fleet.toml and a file in configs/strategies.",
                )

    def show_states(self, states: tuple[StrategyState, ...]) -> None:
        for each in states:
            if each.strategy in self._cards:
                self._cards[each.strategy].show_state(each)

    def show_locks(self, locks: tuple[Lock, ...]) -> None:
        for name, card in self._cards.items():
            card.show_locks([each for each in locks if each.strategy == name])

    def show_looks(self, looks: Looks) -> None:
        for name, card in self._cards.items():
            card.show_looks(name, self._account, looks)


class _Card:
    """One strategy: its state, its funnel, and what stopped its looks."""

    def __init__(self, page: PageContext, name: str, why: WhyCard) -> None:
        with section(name, span=4):
            self._light = Light()
            with ui.element("div").classes("facts"):
                ui.label("last look").classes("quiet")
                self._looked_at = LocalTime(look="moment", none="never")
                ui.label("bars").classes("quiet")
                self._timeframe = ui.label()
                ui.label("parameters").classes("quiet")
                self._parameters = ui.label()
                ui.label("confidence by").classes("quiet")
                self._model = ui.label()
            self._trouble = ui.label().classes("warn")
            self._paused = ui.label().classes("warn")
            if page.account is not None:
                pause_buttons(page, page.account, name)
            self._bars = FunnelBars(list(STEPS.values()))
            self._reasons = SmallTable(REASONS, "Nothing was looked at in this time.")
            self._nearest = SmallTable(
                NEAREST_COLUMNS, "",
                chosen=lambda row: why.ask(name, row["symbol"], datetime.fromisoformat(row["decided_at"])),
            )  # fmt: skip

    def show_state(self, state: StrategyState) -> None:
        words, tone = state_light(state)
        self._light.show(words, tone)
        self._looked_at.set_at(state.looked_at)
        self._timeframe.set_text(state.timeframe.value)
        self._parameters.set_text(state.parameters)
        self._model.set_text("the rule alone" if state.champion is None else f"model {state.champion.model_id}")
        told = [each for each in (state.broken and f"{state.broken.says}. {state.broken.do}.", state.trouble) if each]
        self._trouble.set_text(" ".join(told))
        self._trouble.set_visibility(bool(told))

    def show_locks(self, locks: Sequence[Lock]) -> None:
        self._paused.set_text("; ".join(f"▲ {each.note}" for each in locks))
        self._paused.set_visibility(bool(locks))

    def show_looks(self, name: str, account: str | None, looks: Looks) -> None:
        steps = funnel_of([each for each in looks.counts if each.strategy == name], account)
        self._bars.show([each.count for each in steps])
        self._reasons.set_rows(reason_rows(steps))
        near = [each for each in looks.nearest if each.strategy == name and each.account in (None, account)]
        near.sort(key=lambda each: each.account is None)
        self._nearest.set_visibility(bool(near))
        self._nearest.set_rows(
            {"symbol": each.symbol, "decided_at": each.decided_at, "reason": each.stopped_by} for each in near[:NEAREST]
        )


def pause_buttons(page: PageContext, account: str, name: str) -> None:
    """Make the buttons that stop one strategy's buys in an account, and let them go on."""
    with ui.element("div").classes("commands"):
        CommandButton(
            page, "Pause", "pause", account, f"{name} buys nothing any more in {account}; its exits go on.",
            arguments={"strategy": name}, icon="pause_circle",
        )  # fmt: skip
        CommandButton(
            page, "Unpause", "unpause", account, f"{name} may buy again in {account}.", arguments={"strategy": name},
            icon="play_circle",
        )  # fmt: skip


def state_light(state: StrategyState) -> tuple[str, str]:
    """Return words and tone for whether a strategy looks at the market."""
    if not state.is_scanned:
        return "has no scanner", "quiet"
    if state.broken is not None:
        return f"held up: {state.broken.where}", "bad" if not state.is_alive else "warn"
    return ("scanning", "good") if state.is_alive else ("its scanner is silent", "bad")


def reason_rows(steps: Sequence[StepCount]) -> list[dict[str, Any]]:
    """Return what stopped the most looks, and after which step."""
    rows = [
        {"reason": stop.reason, "after": STEPS[step.step], "count": stop.count}
        for step in steps
        for stop in step.reasons
    ]
    return sorted(rows, key=lambda row: -row["count"])[:MOST_REASONS]


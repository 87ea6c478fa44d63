"""Models: who decides, by what right, and does it still mean what it says?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import background_tasks, ui
from tracker.store.pages.models import (
    ModelFacts,
    ModelRow,
    Models,
    read_calibration,
    read_model_card,
    read_model_facts,
    read_models_page,
)

from services.dashboard import formats
from services.dashboard.charts.against import calibration_options, promise_options
from services.dashboard.charts.bars import Mark, bars, height_of
from services.dashboard.context import PageContext
from services.dashboard.elements.chart import Chart, points
from services.dashboard.elements.columns import Column
from services.dashboard.elements.command import CommandButton
from services.dashboard.elements.controls import chooser
from services.dashboard.elements.document import Document
from services.dashboard.elements.grid import Grid
from services.dashboard.elements.parts import Stat, empty, section
from services.dashboard.elements.small_table import SmallTable
from services.dashboard.model_rows import (
    MOVED,
    STILL,
    criterion_rows,
    decider_rows,
    drift_bars,
    history_rows,
    importance_bars,
    model_rows,
    title,
    verdict_words,
)
from services.dashboard.reader import Question

MODELS = Question(read=read_models_page, seconds=1.0, with_bars=False)
FACTS = Question(read=read_model_facts, seconds=1.0, with_bars=False)
CALIBRATION = Question(read=read_calibration, seconds=20.0)
CARD = Question(read=read_model_card, seconds=60.0, with_bars=False)


DECIDERS = (
    Column(name="strategy", label="Strategy"), Column(name="decides", label="Decides"),
    Column(name="promoted_at", label="Since", look="moment"), Column(name="look", label="Last look", look="status"),
    Column(name="so", label="So"), Column(name="watched_at", label="Looked at", look="ago"),
    Column(name="trades", label="Live trades", look="count"),
    Column(name="mean_return", label="Return a trade", look="signed_percent"),
    Column(name="expected_return", label="Promised", look="signed_percent"),
    Column(name="brier", label="Brier score", look="number"),
    Column(name="expected_brier", label="Promised", look="number"),
    Column(name="drifted_share", label="Gain that drifted", look="percent"),
)  # fmt: skip
CRITERIA = (
    Column(name="holds", label="Holds", look="status"), Column(name="criterion", label="Criterion"),
    Column(name="number", label="Number", look="number"), Column(name="comparison", label="has to be"),
    Column(name="limit_value", label="Limit", look="number"),
)  # fmt: skip
HISTORY = (
    Column(name="at", label="When", look="moment"), Column(name="strategy", label="Strategy"),
    Column(name="action", label="What"), Column(name="model", label="Model"),
    Column(name="decides", label="Decides after it"), Column(name="made_by", label="By"),
    Column(name="reason", label="Why"),
)  # fmt: skip
ALL = (
    Column(name="model_id", label="Model", look="count", width=80),
    Column(name="strategy", label="Strategy", width=100),
    Column(name="status", label="Status", width=105), Column(name="verdict", label="Gate", look="status", width=92),
    Column(name="created_at", label="Trained", look="moment", width=122),
    Column(name="judged", label="Judged on", look="count", width=98),
    Column(name="auc", label="AUC", look="number", width=75),
    Column(name="base_gain", label="Gained at least", look="number", width=128),
    Column(name="mean_return", label="Return a trade", look="signed_percent", width=122),
    Column(name="return_bound", label="at least", look="signed_percent", width=90),
    Column(name="deflated_sharpe", label="Deflated Sharpe", look="percent", width=138),
)  # fmt: skip


async def build(page: PageContext) -> None:
    """Build the page of the models."""
    nothing = empty(
        "No model has been trained yet.",
        "`tracker train` makes one of each strategy's labels, which `tracker labels build` makes of the past; the model"
        " retrainer does both every night. Until one is promoted, the rules decide alone.",
    )  # fmt: skip
    nothing.style("grid-column: span 12")
    with nothing, ui.element("div").classes("commands").style("margin-top: 10px"):
        _retrain(page, "all")
    with section("Who decides", span=12, note="beside what each was promoted for") as who:
        deciders = SmallTable(DECIDERS, "")
    view = _ModelView(page)
    # At once, so that the page is sent with its figures.
    await view.build((await page.reader.ask(MODELS)).models)
    with section("Changes of hands", span=12) as changes:
        history = SmallTable(HISTORY, "No model has been promoted, so the rules have always decided alone.")
    with section("All models", span=12, note="click one to see it above") as every:
        table = Grid(ALL, "", row_id="model_id", height=300, chosen=view.choose_row)

    def show(found: Models) -> None:
        nothing.set_visibility(not found.models)
        for each in (who, changes, every):
            each.set_visibility(bool(found.models))
        deciders.set_rows(decider_rows(found))
        history.set_rows(history_rows(found.history))
        table.set_rows(model_rows(found.models))
        view.show_models(found.models)

    await page.reader.watch(show, MODELS)


class _ModelView:
    """Everything about the model that is chosen, the first champion to begin with."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._models: dict[int, ModelRow] = {}
        self._chosen: int | None = None
        self._offered: tuple[str, int | None] | None = None

    async def build(self, models: Sequence[ModelRow]) -> None:
        self._models = {each.model_id: each for each in models}
        self._chosen = next(iter(self._models), None)
        options = {each.model_id: title(each) for each in models}
        with section("Model", span=12) as head:
            with ui.element("div").classes("lights").style("align-items: center; margin-bottom: 10px"):
                self._select = chooser("Model", options, self._chosen, lambda event: self.choose(event.value))
                self._select.style("min-width: 260px")
                ui.button("Model card", icon="description", on_click=self._open_card).props("flat dense no-caps")
                self._commands = ui.element("div").classes("commands")
            with ui.element("div").classes("stats"):
                self._status, self._gained = Stat("Status"), Stat("Log-loss gained, at least")
                self._area, self._slope = Stat("Area under the curve"), Stat("Calibration slope")
                self._money, self._sharpe = Stat("Net return a trade"), Stat("Deflated Sharpe")
        with section("Does it mean what it says?", span=5, note="live scores of the last 30 days") as honest:
            self._unscored = empty(
                "None of its live scores has an outcome yet.",
                "Scores are held against labels as these are built; the model card has the curve of the window that it"
                " was judged on.",
            )  # fmt: skip
            self._curve = Chart(calibration_options(()), height=300)
        with section("What the gate said", span=7) as gate:
            self._said = ui.label().classes("quiet")
            self._criteria = SmallTable(CRITERIA, "It has not been judged: `tracker models promote` asks the gate.")
            self._criteria.classes("wraps")
        with section("What it looks at", span=6, note="share of the log-loss that splits took off") as looks_at:
            self._no_importance = empty("Nothing is kept of its features.", "A model trained anew says it.")
            self._importance = Chart(bars((), "percent"), height=height_of(15))
        with section("What has moved since", span=6, note="PSI of its features, live against learnt from") as moved:
            self._no_drift = empty(
                "It has not been watched yet.", "Champions are looked at every night, and by `tracker models watch`."
            )
            self._drift = Chart(bars((), "number"), height=height_of(15))
        with section("Brier score, live against promised", span=6, note="lower is better") as brier:
            self._brier = Chart(promise_options("number"), height=220)
        with section("Net return a trade, live against promised", span=6) as money:
            self._returns = Chart(promise_options("signed_percent"), height=220)
        self._sections = (head, honest, gate, looks_at, moved)
        self._watched = (brier, money)
        self._facts = await self._page.reader.watch(self._show_facts, FACTS, self._chosen)
        self._scores = await self._page.reader.watch(self._show_calibration, CALIBRATION, self._chosen)
        with ui.dialog().props("maximized") as self._dialog, ui.card().style("padding: 0; gap: 0"):
            with ui.element("div").classes("bar").style("width: 100%"):
                self._card_title = ui.label().classes("name")
                ui.element("span").classes("grow")
                ui.button(icon="close", on_click=self._dialog.close).props("flat round dense aria-label=Close")
            self._document = Document("model card").classes("document")

    def show_models(self, models: Sequence[ModelRow]) -> None:
        """Take in all models; the chosen one stays chosen while there is one."""
        self._models = {each.model_id: each for each in models}
        for each in self._sections:
            each.set_visibility(bool(models))
        chosen = self._chosen if self._chosen in self._models else next(iter(self._models), None)
        options = {each.model_id: title(each) for each in models}
        if options != self._select.options:
            self._select.set_options(options, value=chosen)
        self.choose(chosen)
        if chosen is not None:
            self._show_head(self._models[chosen])

    def choose_row(self, row: Mapping[str, Any]) -> None:
        """Show the model of a row, further up."""
        self.choose(int(row["model_id"]))
        ui.run_javascript("window.scrollTo({top: 0, behavior: 'smooth'})")

    def choose(self, model_id: int | None) -> None:
        """Show another model."""
        if model_id == self._chosen or (model_id is not None and model_id not in self._models):
            return
        self._chosen = model_id
        if self._select.value != model_id:
            self._select.set_value(model_id)
        if model_id is not None:
            self._show_head(self._models[model_id])
        background_tasks.create(self._facts.ask_for(FACTS, model_id))
        background_tasks.create(self._scores.ask_for(CALIBRATION, model_id))

    def _show_commands(self, model: ModelRow) -> None:
        offered = model.strategy, None if model.status == "champion" else model.model_id
        if offered == self._offered:
            return
        self._offered = offered
        self._commands.clear()
        with self._commands:
            _retrain(self._page, model.strategy)
            if model.status != "champion":
                CommandButton(
                    self._page, "Promote", "promote", str(model.model_id),
                    f"The gate judges model {model.model_id} of {model.strategy} once more. If all of it holds, it"
                    " decides from the next close on; the verdict is kept either way.",
                )  # fmt: skip

    def _show_head(self, model: ModelRow) -> None:
        self._show_commands(model)
        learnt = f"learnt from {formats.count(model.learnt)}, judged on {formats.count(model.judged)} trades"
        self._status.show(model.status.capitalize(), learnt, "good" if model.status == "champion" else "plain")
        self._gained.show(_rounded(model.base_gain, 4), "nats over the base rate", formats.tone(model.base_gain))
        self._area.show(_rounded(model.auc, 3), "0.5 knows nothing")
        self._slope.show(_rounded(model.slope, 2), "1 is right, below it too sure")
        at_least = f"at least {formats.signed_percent(model.return_bound)}, {formats.count(model.trades)} trades"
        self._money.show(formats.signed_percent(model.mean_return), at_least, formats.tone(model.return_bound))
        self._sharpe.show(formats.percent(model.deflated_sharpe), "more than the luck of all tries")

    def _show_facts(self, facts: ModelFacts) -> None:
        self._said.set_text(verdict_words(facts.verdict))
        self._criteria.set_rows(criterion_rows(facts.verdict))
        _swap(self._no_importance, self._importance, bool(facts.importance))
        self._importance.set_options(bars(importance_bars(facts.importance), "percent"))
        _swap(self._no_drift, self._drift, bool(facts.drift))
        marks = [Mark(value=STILL, word="still"), Mark(value=MOVED, word="moved")]
        self._drift.set_options(bars(drift_bars(facts.drift), "number", marks))
        for each in self._watched:
            each.set_visibility(bool(facts.looks))
        for chart, live, promised in (
            (self._brier, "brier", "expected_brier"), (self._returns, "mean_return", "expected_return"),
        ):  # fmt: skip
            chart.set_series(0, points((each["window_to"], each[live]) for each in facts.looks))
            chart.set_series(1, points((each["window_to"], each[promised]) for each in facts.looks))

    def _show_calibration(self, groups: Sequence[dict[str, Any]]) -> None:
        _swap(self._unscored, self._curve, bool(groups))
        self._curve.set_options(calibration_options(groups))

    async def _open_card(self) -> None:
        if self._chosen is not None:
            self._card_title.set_text(title(self._models[self._chosen]))
            self._document.set_html(await self._page.reader.ask(CARD, self._chosen))
            self._dialog.open()


def _retrain(page: PageContext, strategy: str) -> None:
    CommandButton(
        page, "Train anew", "retrain", strategy,
        "The model retrainer builds the labels that are missing, trains a candidate and asks the gate.",
    )  # fmt: skip


def _swap(instead: ui.element, chart: Chart, there: bool) -> None:
    instead.set_visibility(not there)
    chart.element.set_visibility(there)


def _rounded(value: float | None, decimals: int) -> str:
    return formats.NONE if value is None else f"{value:.{decimals}f}".replace("-", formats.MINUS)

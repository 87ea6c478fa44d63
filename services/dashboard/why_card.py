"""Why there was a trade or none: one look taken apart, as `tracker why` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui
from tracker.domain.timeframe import EPOCH

from services.dashboard import formats
from services.dashboard.context import PageContext
from services.dashboard.elements.columns import Column
from services.dashboard.elements.controls import chooser
from services.dashboard.elements.local_time import LocalTime
from services.dashboard.elements.parts import Light, section
from services.dashboard.elements.small_table import SmallTable
from services.dashboard.market_panel import WATCHED
from services.dashboard.reader import Watch
from services.dashboard.rulebook import Rulebook

CONDITIONS = (
    Column(name="met", label=""), Column(name="name", label="Condition"),
    Column(name="observed", label="Is", look="number"), Column(name="must", label="Must be"),
    Column(name="off", label="Off by / points", look="number"), Column(name="reason", label="Else", look="words"),
)  # fmt: skip
FEATURES = (
    Column(name="name", label="Feature"), Column(name="value", label="Value", look="number"),
    Column(name="why", label="Why it is not known"),
)  # fmt: skip
ACCOUNTS = (
    Column(name="account", label="Account"), Column(name="last_step", label="Came to", look="words"),
    Column(name="stopped_by", label="Stopped by", look="words"), Column(name="says", label="What it made of it"),
)  # fmt: skip
MOVED = (
    Column(name="feature", label="Moved the model"), Column(name="value", label="Value", look="number"),
    Column(name="log_odds", label="Log-odds", look="signed"),
)  # fmt: skip
# Where there is nothing to say; an empty text would be shown as a missing one.
BLANK = "\u00a0"
ZONE_JS, ZONE_SECONDS = "Intl.DateTimeFormat().resolvedOptions().timeZone", 3.0
MET, FAILED = "\u2714", "\u2718"
SIGNS = {">=": "\u2265", "<=": "\u2264"}
TITLES = {"gate": "GATES", "confirmation": "CONFIRMATIONS", "score": "SCORES"}


class WhyCard:
    """Asks for a strategy, a symbol and a time, and shows the document of that look."""

    def __init__(self, page: PageContext, rules: Rulebook) -> None:
        """Belong to the page that is being built."""
        self._page = page
        self._rules = rules
        self._watch: Watch[dict[str, Any] | None] | None = None
        self._is_set = False

    async def build(self) -> None:
        """Build the card, and show the last look at the first symbol."""
        symbols = [each.symbol for each in await self._page.reader.ask(WATCHED)]
        names = list(self._rules.names)
        with section("Why was there a trade, or none?", note="the same facts as `tracker why`"):
            with ui.element("div").classes("controls"):
                self._strategy = chooser("Strategy", names, told("strategy", names), self._changed)
                self._symbol = chooser("Symbol", symbols, told("symbol", symbols), self._changed, typed=True)
                self._at = ui.input(on_change=self._changed).props(
                    'dense outlined stack-label type=datetime-local label="At (empty: latest)" debounce=400 clearable'
                )
            self._parts = _Parts()
        await self._ask()

    async def ask(self, strategy: str, symbol: str, at: datetime) -> None:
        """Show another look."""
        self._is_set = True
        self._strategy.set_value(strategy)
        self._symbol.set_value(symbol)
        self._at.set_value(f"{at.astimezone(zone_called(await self._zone())):%Y-%m-%dT%H:%M}")
        self._is_set = False
        await self._ask()

    async def _zone(self) -> str:
        """Return the viewer's zone, of which a first page knows nothing before the browser is there."""
        try:
            zone: str = await ui.run_javascript(ZONE_JS, timeout=ZONE_SECONDS)
        except TimeoutError:
            return self._page.zone
        return zone

    async def _changed(self) -> None:
        if not self._is_set:
            await self._ask()

    async def _ask(self) -> None:
        at = moment_in(self._at.value, await self._zone()) if self._at.value else None
        question, arguments = self._rules.why, (self._strategy.value or "", self._symbol.value or "", at)
        if self._watch is None:
            self._watch = await self._page.reader.watch(self._parts.show, question, *arguments)
        else:
            await self._watch.ask_for(question, *arguments)


class _Parts:
    """The places in which a document is shown."""

    def __init__(self) -> None:
        with ui.element("div").classes("why-answer"):
            self._light = Light()
            self._at = LocalTime(look="full")
        self._answer = ui.label().classes("why-says")
        self._do = ui.label().classes("quiet")
        with ui.element("div").classes("facts"):
            self._lines = {name: _line(name) for name in ("bar", "rule", "decision", "model", "signal")}
        self._accounts = SmallTable(ACCOUNTS, "")
        self._conditions = SmallTable(CONDITIONS, "The rule was not asked: no bar, or not all features are known.")
        with ui.expansion("Features it read").props("dense").classes("quiet") as self._more:
            self._features = SmallTable(FEATURES, "No features of this bar.")
        self._moved = SmallTable(MOVED, "")

    def show(self, look: dict[str, Any] | None) -> None:
        if look is None:
            self._light.show("nothing to ask about", "quiet")
            self._answer.set_text("Choose a strategy and a symbol. Both come with the first start of the fleet.")
            return
        self._light.show(*decision_light(look))
        self._at.set_at(None if look["at"] is None else datetime.fromisoformat(look["at"]))
        self._answer.set_text(look["answer"])
        self._do.set_text("" if look["broken"] is None else f"What to do: {look['broken']['do']}.")
        for name, text in lines_of(look).items():
            self._lines[name].set_text(text)
        self._conditions.set_rows(condition_rows(look["conditions"]))
        self._features.set_rows(feature_rows(look["features"]))
        self._moved.set_visibility(bool(look["model"]["moved_by"]))
        self._moved.set_rows(look["model"]["moved_by"])
        self._accounts.set_visibility(bool(look["accounts"]))
        self._accounts.set_rows(
            {name: each[name] for name in ("account", "last_step", "stopped_by", "says")} for each in look["accounts"]
        )


def told(name: str, known: Sequence[str]) -> str | None:
    """Return what the page's address asks for, else the first of what is known, if there is any."""
    asked = ui.context.client.request.query_params.get(name)
    return asked if asked in known else next(iter(known), None)


def _line(name: str) -> ui.label:
    ui.label(name).classes("quiet")
    return ui.label()


def zone_called(name: str) -> ZoneInfo:
    """Return a zone by its name, UTC where there is none: a browser may tell any."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def moment_in(text: str | None, zone: str) -> datetime | None:
    """Return what a viewer in a zone typed as a moment, None where that is none; the end of days is no moment."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=zone_called(zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment > EPOCH else None


def decision_light(look: Mapping[str, Any]) -> tuple[str, str]:
    """Return words and tone for what was decided."""
    if look["decision"] is None:
        return "no look", "quiet"
    if look["decision"] == "SIGNAL":
        return "signal", "good"
    return f"skipped: {formats.words(look['reason'])}", "plain"


def lines_of(look: Mapping[str, Any]) -> dict[str, str]:
    """Return a sentence for each link from the bar to the signal."""
    bar, score, now, signal = look["bar"], look["score"], look["recomputed"], look["signal"]
    gates = [each["holds"] for each in look["conditions"] if each["kind"] == "gate"]
    known = sum(each["known"] for each in look["features"])
    return {
        "bar": "none" if bar is None else
        f"close {formats.price(bar['close'])}, volume {bar['volume']:,.6g} ({bar['source']},"
        f" {'corrected' if bar['revision'] else 'never corrected'}); {known} of {len(look['features'])} features"
        " known",
        "rule": "not asked" if score is None or not gates else
        f"{sum(gates)} of {len(gates)} gates hold, {score['confirmations']} of {score['confirmations_asked'] or 0}"
        f" confirmations, strength {score['strength']:.3f}",
        "decision": "none was taken" if look["decision"] is None else
        f"{look['decision']} {formats.words(look['reason'])}" + ("" if now is None else f"; {now['says']}"),
        "model": look["model"]["says"],
        "signal": "none" if signal is None else
        f"{signal['side']} at {formats.price(signal['entry'])}, stop {formats.price(signal['stop'])},"
        f" target {formats.price(signal['target'])}",
    }  # fmt: skip


def condition_rows(conditions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row a condition, the parts of one under it, and a title above those of a kind."""
    rows: list[dict[str, Any]] = []
    kind = ""
    for each in conditions:
        if each["kind"] != kind:
            kind = each["kind"]
            blank = dict.fromkeys(("met", "observed", "must", "off", "reason"), BLANK)
            rows.append({**blank, "name": TITLES[kind]})
        rows += _condition_rows(each, "")
    return rows


def _condition_rows(condition: Mapping[str, Any], indent: str) -> list[dict[str, Any]]:
    is_score = condition["kind"] == "score"
    observed = _rounded(condition["observed"])
    off = _rounded(condition["points"] if is_score else _off(condition))
    row = {
        "met": "=" if is_score else MET if condition["holds"] else FAILED,
        "name": indent + condition["name"],
        "observed": BLANK if observed is None else observed,
        "must": _must(condition) or BLANK,
        "off": BLANK if off is None else off,
        "reason": BLANK if condition["holds"] or is_score else condition["reason"] or BLANK,
    }
    parts = [_condition_rows({**part, "reason": None}, indent + "\u2003") for part in condition["parts"]]
    return [row, *(each for part in parts for each in part)]


def _must(condition: Mapping[str, Any]) -> str:
    relation = SIGNS.get(condition["relation"], condition["relation"] or "")
    limit = "" if condition["limit"] is None else f" {condition['limit']:.4g}"
    of = f" ({formats.words(condition['of'])})" if condition["of"] else ""
    return f"{relation}{limit}{of}".strip()


def feature_rows(features: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the features that were not known first, with the reason."""
    rows = [
        {"name": each["name"] + (" (optional)" if each["optional"] else ""), "value": _rounded(each["value"]),
         "why": each["why"] or BLANK}
        for each in features
    ]  # fmt: skip
    return sorted(rows, key=lambda row: row["value"] is not None)


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _off(condition: Mapping[str, Any]) -> float | None:
    return None if condition["holds"] or condition["margin"] is None else -condition["margin"]

"""Models, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

MOST_FEATURES = 15


def train_view(report: Mapping[str, Any]) -> RenderableType:
    """Return what was trained, and what the gate says of it."""
    parts: list[RenderableType] = []
    for each in report["models"]:
        mark = "" if each["new"] else ", the same bytes as before"
        parts.append(
            Text(
                f"{each['strategy']}: model {each['model_id']}{mark}, of {each['labels']:,} labels, "
                f"{each['trees']} trees, the best of {each['tried']} tried; judged on {each['judged_on']:,}",
                "bold",
            )
        )
        parts += verdict_lines(each)
    parts += [Text(f"{each['strategy']}: no model: {each['reason']}", "yellow") for each in report["refused"]]
    parts.append(Text(f"{report['seconds']:.1f} s"))
    return Group(*parts)


def list_view(report: Mapping[str, Any]) -> RenderableType:
    """Return all models in a table, and the last changes."""
    table = Table(box=None, header_style="dim")
    for name in ("model", "strategy", "status", "made", "AUC", "slope", "trades", "each", "gate"):
        table.add_column(name)
    for each in report["models"]:
        style = "green" if each["status"] == "champion" else "dim" if each["status"] == "retired" else ""
        table.add_row(
            str(each["model_id"]), each["strategy"], each["status"], _moment(each["created_at"]), _known(each["auc"]),
            _known(each["slope"]), f"{each['trades'] or 0:,}", _percent(each["mean_return"]), _gate(each), style=style,
        )  # fmt: skip
    events = [
        Text(f"{_moment(each['at'])}  {each['strategy']}: {each['action']} of model {each['model_id']}"
             f" by {each['made_by']}: {each['reason']}", "dim")
        for each in report["events"]
    ]  # fmt: skip
    if not report["models"]:
        return Text("there are no models yet: `tracker train` makes one a strategy")
    return Group(table, *events)


def show_view(report: Mapping[str, Any]) -> RenderableType:
    """Return everything of a model."""
    parts: list[RenderableType] = [
        Text(f"model {report['model_id']} of {report['strategy']}, {report['status']}", "bold"),
        Text(f"  made {_moment(report['created_at'])}, learnt through {_moment(report['learnt_through'])}, "
             f"untouched from {_moment(report['window_from'])}"),
        Text(f"  sha256 {report['sha256']}, features {report['feature_hash']}, labels {report['label_config']}"),
    ]  # fmt: skip
    total = sum(each["gain"] for each in report["importance"]) or 1.0
    for each in report["importance"][:MOST_FEATURES]:
        parts.append(Text(f"  {each['gain'] / total * 100:5.1f}%  {each['feature']}  ({each['permutation']:+.5f})"))
    for each in report["verdicts"]:
        parts.append(Text(f"verdict of {_moment(each['judged_at'])} by {each['judged_by']}", "bold"))
        parts += verdict_lines(each)
    if report["card"]:
        parts.append(Text(f"its page is {report['card']}", "green"))
    return Group(*parts)


def promote_view(report: Mapping[str, Any]) -> RenderableType:
    """Return what became of a promotion."""
    if report["promoted"]:
        how = "against the gate, with your reason" if report["forced"] else "the gate let it pass"
        head = Text(f"model {report['model_id']} is the champion: {how}", "green")
    else:
        head = Text(f"model {report['model_id']} stays a candidate", "bold red")
    return Group(head, *verdict_lines(report))


def rollback_view(report: Mapping[str, Any]) -> RenderableType:
    """Return what became of a rollback."""
    said = f"model {report['model_id']} is {report['strategy']}'s champion again, model {report['rolled_back']} retired"
    return Text(said, "green")


def retire_view(report: Mapping[str, Any]) -> RenderableType:
    """Return what became of a retirement."""
    left = "" if report["champion_left"] else f"; {report['strategy']} has no champion and decides by rule alone"
    return Text(f"model {report['model_id']} is retired{left}", "green")


def verdict_lines(verdict: Mapping[str, Any]) -> list[Text]:
    """Return every criterion with its number and limit."""
    criteria: Sequence[Mapping[str, Any]] = verdict["criteria"]
    failed = sum(not each["ok"] for each in criteria)
    head = "passed" if verdict["passed"] else f"refused: {failed} of {len(criteria)} criteria do not hold"
    lines = [Text(f"  {head}", "green" if verdict["passed"] else "red")]
    for each in criteria:
        number = "not known" if each["number"] is None else f"{each['number']:.5g}"
        said = f"  {'+' if each['ok'] else '-'} {each['name']}: {number} ({each['comparison']} {each['limit']:.5g})"
        lines.append(Text(said, "" if each["ok"] else "red"))
    return lines


def _gate(model: Mapping[str, Any]) -> str:
    if model["passed"] is None:
        return "not judged"
    return "passed" if model["passed"] else f"refused by {len(model['failed'])}"


def _moment(text: str | None) -> str:
    return "never" if text is None else text[:16].replace("T", " ")


def _known(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value * 100:+.3f}%"

"""What came of a promotion, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text


def promotion_view(report: Mapping[str, Any]) -> RenderableType:
    """Return the verdict criterion by criterion, what it changes, and what stays as it is."""
    parts: list[RenderableType] = [
        Text(f"variation {report['variation']} of {report['strategy']}, set {report['set']}", "bold"),
        *(Text(each, "yellow") for each in report["notes"]),
        _criteria(report),
        _outcome(report),
    ]
    changes = Table(f"parameter of {report['strategy']}", report["was"], "the variation", box=None)
    for name, (was, now) in report["changes"].items():
        changes.add_row(name, str(was), str(now))
    parts.append(changes)
    if report["not_promoted"]:
        rules = Table("not promoted", "the rules of trading", "the variation", box=None)
        for name, (was, now) in report["not_promoted"].items():
            rules.add_row(name, str(was), str(now))
        said = "rules of trading are in risk.toml and paper_trading.toml, which a promotion leaves as they are:"
        parts += [Text(said, "yellow"), rules]
    return Group(*parts)


def _criteria(report: Mapping[str, Any]) -> Table:
    table = Table("", f"the gate, over {report['window']}", "number", "has to be", box=None)
    for each in report["criteria"]:
        mark = Text("ok", "green") if each["ok"] else Text("no", "bold red")
        number = "not known" if each["number"] is None else f"{each['number']:.6g}"
        table.add_row(mark, each["name"], number, f"{each['comparison']} {each['limit']:.6g}")
    return table


def _outcome(report: Mapping[str, Any]) -> Text:
    if report["dry_run"]:
        would = "would be promoted" if report["would_promote"] else "would be refused"
        return Text(f"{would}; nothing was written", "yellow")
    if not report["promoted"]:
        return Text(f"refused: {'; '.join(report['failed'])}", "bold red")
    forced = f", against the gate: {report['reason']}" if report["forced"] else ""
    said = f"promoted as version {report['version']} of {report['strategy']}{forced}"
    return Text(f"{said}; `tracker config rollback {report['strategy']} --reason TEXT` returns", "green")

"""What people see of `tracker retrain`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text


def answer_view(report: Mapping[str, Any]) -> RenderableType:
    """Return what became of a request."""
    return Text(f"{report['kind']} of {report['strategy']}: {report['note']}")


def status_view(report: Mapping[str, Any]) -> RenderableType:
    """Return what waits and how the last tries ended."""
    parts: list[RenderableType] = []
    if report["requests"]:
        parts.append(Text(f"{len(report['requests'])} requests wait for ml_retrainer: does it run?"))
    if report["queue"]:
        table = Table(title="Queue", title_justify="left")
        for name in ("job", "strategy", "state", "failures", "due", "last error"):
            table.add_column(name)
        for each in report["queue"]:
            state = {"picked": "at work", "failed": "given up"}.get(each["status"], "waits")
            table.add_row(
                each["kind"], each["strategy"], state, str(each["attempts"]), _moment(each["due_at"]),
                each["error"] or "",
            )
        parts.append(table)
    table = Table(title="Last tries", title_justify="left")
    for name in ("job", "strategy", "begun", "seconds", "outcome", "MB", "what came of it"):
        table.add_column(name)
    for each in report["last"]:
        table.add_row(*_run(each))
    return Group(*parts, table) if report["last"] else Group(*parts, Text("nothing was done yet"))


def _run(each: Mapping[str, Any]) -> list[str]:
    ended, peak = each["ended_at"], each["peak_bytes"]
    result = each["error"] or ", ".join(f"{name} {value}" for name, value in each["result"].items())
    return [
        each["kind"], each["strategy"], _moment(each["started_at"]),
        "" if ended is None else f"{(ended - each['started_at']).total_seconds():.1f}",
        each["outcome"] or "at work", "" if peak is None else f"{peak / 2**20:.0f}", result,
    ]


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"

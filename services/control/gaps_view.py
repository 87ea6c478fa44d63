"""The gap ledger as a table and a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_COLOURS = {"open": "yellow", "confirmed_empty": "dim", "healed": "green"}
_COLUMNS = ("symbol", "from", "to", "minutes missing", "state", "cause", "attempts", "since", "last error")


def gaps_view(report: Mapping[str, Any]) -> RenderableType:
    """Return what `tracker gaps` prints without --json."""
    table = Table(*_COLUMNS, box=None)
    for each in report["gaps"]:
        table.add_row(
            each["symbol"], _moment(each["from"]), _moment(each["to"]), f"{each['minutes']:,}",
            Text(each["state"], _COLOURS[each["state"]]), each["cause"], str(each["attempts"]),
            _moment(each["since"]), each["last_error"] or "-",
        )
    parts: list[RenderableType] = [table if report["gaps"] else Text("No such gaps.")]
    if report["more"]:
        parts.append(Text(f"There are more than these {len(report['gaps']):,}: name symbols or a span.", "yellow"))
    return Group(*parts, _summary(report["summary"]))


def _summary(sums: Mapping[str, Any]) -> Text:
    if not sums["expected_minutes"]:
        return Text("No minute is expected in that time: nothing was collected yet.")
    text = Text(
        f"{_moment(sums['from'])} to {_moment(sums['to'])}: {sums['expected_minutes']:,} minutes expected,"
        f" {sums['stored_minutes']:,} stored, {sums['confirmed_empty_minutes']:,} confirmed empty,"
        f" {sums['open_minutes']:,} open, coverage {sums['coverage']:.3%}"
    )
    if sums["unexplained_minutes"]:
        text.append(f", {sums['unexplained_minutes']:,} unexplained", "red")
    return text


def _moment(iso: str) -> str:
    return iso[:16].replace("T", " ")

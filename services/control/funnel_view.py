"""The funnel as a table a strategy and account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

BAR_CELLS = 24
MOST_REASONS = 3


def funnel_view(report: Mapping[str, Any]) -> RenderableType:
    """Return what `tracker funnel` prints without --json."""
    of = f" of {', '.join(report['symbols'])}" if report["symbols"] else ""
    head = Text(f"Looks{of} at closes after {_moment(report['from'])} to {_moment(report['until'])} UTC", "bold")
    parts: list[RenderableType] = [head]
    for block in report["strategies"]:
        parts += [Text(""), _title(block), _table(block["steps"])]
        parts += _notes(block)
    return Group(*parts)


def _title(block: Mapping[str, Any]) -> Text:
    return Text(f"{block['strategy']}, {block['account'] or 'no account yet'}", "bold")


def _table(steps: list[Mapping[str, Any]]) -> Table:
    """Return the steps with bars whose lengths are shares of the looks, on a scale on which few can be seen too."""
    table = Table(
        Column("step", no_wrap=True), Column("", no_wrap=True), Column("count", justify="right"),
        Column("fell out", justify="right"), Column("because"), box=None,
    )  # fmt: skip
    most = max(each["count"] for each in steps)
    for each in steps:
        table.add_row(
            each["step"], Text(_bar(each["count"], most), "cyan"), f"{each['count']:,}",
            f"{each['fell_out']:,}" if each["fell_out"] else "-", _reasons(each["reasons"]),
        )  # fmt: skip
    return table


def _bar(count: int, most: int) -> str:
    if not count:
        return ""
    # Square roots, so that one trade of a thousand looks is not nothing.
    return "█" * max(round(BAR_CELLS * (count / most) ** 0.5), 1)


def _reasons(reasons: list[Mapping[str, Any]]) -> str:
    named = [f"{each['count']:,} {each['reason']}" for each in reasons[:MOST_REASONS]]
    rest = sum(each["count"] for each in reasons[MOST_REASONS:])
    return ", ".join([*named, *([f"{rest:,} other"] if rest else [])])


def _notes(block: Mapping[str, Any]) -> list[RenderableType]:
    notes: list[RenderableType] = []
    if block["behind"] is not None:
        closes = block["closes_not_scanned"]
        waiting = f" ({closes:,} closes were not looked at)" if closes else ""
        notes.append(Text(f"! {block['behind']['says']}{waiting}. {block['behind']['do']}.", "yellow"))
    if block["waiting"] is not None:
        notes.append(Text(f"! {block['waiting']}.", "yellow"))
    for near in block["nearest"][:1]:
        notes.append(
            Text(
                f"Nearest to a trade: {near['symbol']} at {_moment(near['at'])}, {near['reason']} after {near['step']},"
                f" strength {near['strength']:.2f}: tracker why {near['symbol']} --strategy {block['strategy']}"
                f" --at {near['at'][:16]}Z",
                "dim",
            )
        )
    return notes


def _moment(iso: str) -> str:
    return iso[:16].replace("T", " ")

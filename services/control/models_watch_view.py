"""What `tracker models watch` prints without --json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text


def watch_view(report: Mapping[str, Any]) -> RenderableType:
    """Return a block a strategy: what follows, and each criterion with its number and its limit."""
    parts: list[RenderableType] = []
    for each in report["strategies"]:
        parts.append(Text(f"{each['strategy']}: {each['says']}", "bold"))
        if each["criteria"]:
            parts.append(_criteria(each))
        if each["drift"]:
            most = each["drift"][0]
            parts.append(Text(f"  most moved: {most['feature']}, PSI {most['psi']:.3f}, KS {most['ks']:.3f}"))
        if each["drift_from"]:
            parts.append(Text(f"  drift is measured from {each['drift_from']}"))
    return Group(*parts) if parts else Text("No strategy scans.")


def _criteria(look: Mapping[str, Any]) -> Table:
    table = Table(Column(""), Column("criterion"), Column("is", justify="right"), Column("has to be"), box=None)
    for each in look["criteria"]:
        number = "too little known" if each["number"] is None else f"{each['number']:.4g}"
        mark = Text("✔", "bold cyan") if each["ok"] else Text("✘", "bold yellow")
        table.add_row(mark, each["name"], number, f"{each['comparison']} {each['limit']:.4g}")
    return table

"""What `tracker import` and `tracker export` say when they are done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

_COUNTS = ("new", "corrected", "unchanged", "rejected", "rolled_up")


def import_view(report: Mapping[str, Any]) -> RenderableType:
    """Return an import's report: a line a file, and examples of what was rejected."""
    lines: list[Text] = []
    for each in report["files"]:
        counts = ", ".join(f"{each[name]:,} {name.replace('_', ' ')}" for name in _COUNTS if each[name])
        what = f"{each['symbol']} {each['timeframe']}, {each['rows']:,} rows"
        lines.append(Text(f"{each['file']}: {what}" + (f": {counts}" if counts else "")))
        lines += [Text(f"{each['file']}: {example}", "yellow") for example in each["examples"]]
        if each["rejected"] > len(each["examples"]):
            lines.append(Text(f"{each['file']}: and {each['rejected'] - len(each['examples']):,} more", "yellow"))
    return Group(*lines, _pace(sum(each["rows"] for each in report["files"]), report["seconds"]))


def export_view(report: Mapping[str, Any]) -> RenderableType:
    """Return an export's report: a line a file."""
    lines = [
        Text(f"{each['file']}: {each['rows']:,} bars" if each["file"] else f"{each['symbol']}: no bars in that time")
        for each in report["files"]
    ]
    return Group(*lines, _pace(sum(each["rows"] for each in report["files"]), report["seconds"]))


def _pace(rows: int, seconds: float) -> Text:
    return Text(f"{rows:,} rows in {seconds:,.1f} s, {rows / max(seconds, 0.001):,.0f} rows/s")

"""A backfill's report in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text


def backfill_view(report: Mapping[str, Any]) -> RenderableType:
    """Return what `tracker backfill` prints without --json."""
    partial: Mapping[str, list[str]] = report["partial"]
    unsupported: Mapping[str, str] = report["unsupported"]
    lines = [Text(f"{len(report['complete'])} symbols complete", "green")]
    if partial:
        lines.append(Text(f"{len(partial)} partial", "yellow"))
        lines += [Text(f"  {name}: {'; '.join(reasons)}") for name, reasons in sorted(partial.items())]
    if unsupported:
        lines.append(Text(f"{len(unsupported)} unsupported", "yellow"))
        lines += [Text(f"  {name}: {reason}") for name, reason in sorted(unsupported.items())]
    rate = report["new"] / max(report["seconds"], 0.001)
    lines.append(Text(
        f"{report['new']:,} new bars and {report['corrected']:,} corrections from {report['fetched_chunks']:,} pieces"
        f" in {report['seconds']:,.1f} s, {rate:,.0f} rows/s"
    ))
    if report["chunks_failed"]:
        lines.append(Text(f"{report['chunks_failed']} pieces failed: the same command tries them again", "red"))
    return Group(*lines)

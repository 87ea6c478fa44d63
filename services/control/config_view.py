"""The configurations of strategies, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

# Of changed values, in a line of the history.
NAMED = 4


def history_view(report: Mapping[str, Any]) -> RenderableType:
    """Return each strategy's versions, the newest first."""
    parts: list[RenderableType] = []
    for each in report["strategies"]:
        force = each["in_force"]
        parts.append(Text(f"{each['strategy']}: {force['origin']} is in force ({force['config_hash']})", "bold"))
        parts += _notes(each)
        for version in each["versions"]:
            mark, origin = "*" if version["in_force"] else " ", origin_words(version)
            said = f"{mark} {version['version']:>3}  {_moment(version['made_at'])}  {version['config_hash']}  {origin}"
            parts.append(Text(f"{said}, by {version['made_by']}: {version['reason']}"))
            if version["changes"]:
                parts.append(Text(f"       {_few(version['changes'])}", "dim"))
    return Group(*parts)


def show_view(report: Mapping[str, Any]) -> RenderableType:
    """Return a configuration as the file would have it, its lineage before it as comments."""
    head = f"# {report['strategy']}: " + (
        report["origin"] if report["version"] is None else f"version {report['version']}, {origin_words(report)}"
    )
    lines = [head]
    if report["version"] is not None:
        lines.append(f"# made {_moment(report['made_at'])} UTC by {report['made_by']}: {report['reason']}")
        lines += [f"# {name}: {value}" for name, value in _flat(report["lineage"])]
    lines += [f"timeframe = {_toml(report['timeframe'])}", "", "[params]"]
    lines += [f"{name} = {_toml(value)}" for name, value in report["params"].items()]
    return Group(*_notes(report), *(Text(line) for line in lines))


def diff_view(report: Mapping[str, Any]) -> RenderableType:
    """Return the values that differ."""
    return Group(*_notes(report), _changes(report, report["from"], report["to"]))


def written_view(report: Mapping[str, Any]) -> RenderableType:
    """Return what became of a rollback."""
    said = f"{report['strategy']} is at version {report['version']}, which is version {report['to']} again"
    return Group(Text(said, "green"), *_notes(report), _changes(report, "was", "now"))


def origin_words(version: Mapping[str, Any]) -> str:
    """Return where a version came from, in a few words."""
    lineage = version.get("lineage") or {}
    match version["source"]:
        case "rollback":
            return f"rollback of {lineage.get('rollback_of') or 'the file'} to {lineage.get('to')}"
        case "promotion":
            forced = ", forced" if lineage.get("forced") else ""
            return f"promotion of {lineage.get('variation')}{forced}"
        case source:
            return str(source)


def _changes(report: Mapping[str, Any], one: str, other: str) -> RenderableType:
    if not report["changes"]:
        return Text("no value differs")
    table = Table("", one, other, box=None)
    for name, (was, now) in report["changes"].items():
        table.add_row(name, str(was), str(now))
    return table


def _few(changes: Mapping[str, Sequence[Any]]) -> str:
    named = [f"{name} {was} > {now}" for name, (was, now) in list(changes.items())[:NAMED]]
    return ", ".join(named) + (f" and {len(changes) - NAMED} more" if len(changes) > NAMED else "")


def _flat(values: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{before}{name}.")
        else:
            found.append((f"{before}{name}", value))
    return found


def _moment(text: str) -> str:
    return text[:16].replace("T", " ")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _notes(report: Mapping[str, Any]) -> list[RenderableType]:
    return [Text(each, "yellow") for each in report.get("notes", ())]

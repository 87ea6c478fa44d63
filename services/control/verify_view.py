"""What `tracker verify` found, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

SHOWN = 40
_STYLES = {"clean": "green", "leaks": "bold red", "never known": "yellow"}


def lookahead_view(report: Mapping[str, Any]) -> RenderableType:
    """Return each feature and strategy tested, with its verdict."""
    parts: list[RenderableType] = [_lookahead_table(source) for source in report["sources"]]
    if report["leaks"]:
        parts.append(Text(f"sees the future: {', '.join(report['leaks'])}", style="bold red"))
    if report["never_known"]:
        parts.append(Text(f"not tested, never known: {', '.join(report['never_known'])}", style="yellow"))
    if not report["leaks"] and not report["never_known"]:
        parts.append(Text("nothing sees the future", style="green"))
    return Group(*parts)


def parity_view(report: Mapping[str, Any]) -> RenderableType:
    """Return what was compared and what differs."""
    parts: list[RenderableType] = [
        Text(f"{report['database']}, {report['first']} to {report['end']}", "bold"),
        Text(
            f"{report['looks']:,} looks, {report['signals']:,} signals, {report['orders']:,} orders,"
            f" {report['fills']:,} fills and {report['trades']:,} trades compared"
        ),
    ]
    if report["other_config"]:
        said = f"{report['other_config']:,} looks were taken by a configuration that is known nowhere any more"
        parts.append(Text(said, "yellow"))
    if report["other_rules"]:
        said = f"the ledger was not compared: {report['other_rules']:,} orders are of other rules of trading"
        parts.append(Text(said, "yellow"))
    if report["never_scanned"]:
        parts.append(Text(f"never scanned: {', '.join(report['never_scanned'])}", "bold red"))
    differences = report["differences"]
    if not differences:
        return Group(*parts, Text("no difference", "green"))
    table = Table("what", "strategy", "symbol", "decided at", "", "was", "now", "inputs", box=None)
    for each in differences[:SHOWN]:
        inputs = "; ".join(f"{name} {was} {now}" for name, (was, now) in each["inputs"].items())
        table.add_row(
            " of ".join(filter(None, (each["what"], each["account"]))), each["strategy"], each["symbol"],
            each["decided_at"], each["name"], str(each["was"]), str(each["now"]), inputs,
        )
    return Group(*parts, Text(f"{len(differences):,} differences", "bold red"), table)


def _lookahead_table(source: Mapping[str, Any]) -> Table:
    table = Table(
        title=f"{source['source']}: {', '.join(source['symbols'])}; {source['bars']} bars, {source['cuts']} cuts, "
        f"seed {source['seed']}"
    )
    table.add_column("tested", no_wrap=True)
    table.add_column("values", justify="right")
    table.add_column("changed", justify="right")
    table.add_column("verdict")
    table.add_column("first change")
    for name, findings in _grouped(source["findings"]).items():
        leaking = [each for each in findings if each["verdict"] == "leaks"]
        verdict = "leaks" if leaking else "clean" if any(each["known"] for each in findings) else "never known"
        table.add_row(
            name, str(sum(each["known"] for each in findings)), str(sum(each["changed"] for each in findings)),
            Text(verdict, style=_STYLES[verdict]), _first(leaking),
        )
    return table


def _grouped(findings: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for each in findings:
        name = each["column"] if each["subject"] == "features" else f"strategy {each['subject']}"
        groups.setdefault(name, []).append(each)
    return groups


def _first(leaking: list[dict[str, Any]]) -> str:
    if not leaking:
        return ""
    first = leaking[0]["first"]
    numbers = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in first.items() if name.startswith("with"))
    columns = "" if leaking[0]["subject"] == "features" else f"{', '.join(each['column'] for each in leaking)}: "
    return f"{columns}{first['symbol']} at {first['decided_at']}: {numbers}"


def warmup_view(report: Mapping[str, Any]) -> RenderableType:
    """Return each feature's need of history, and each strategy's."""
    parts: list[RenderableType] = [_warmup_table(source) for source in report["sources"]]
    table = Table(title="decisions with only the last days, of all that were looked at")
    for name in ("strategy", "decides from", "the same from", "changed by days of history"):
        table.add_column(name)
    for each in report["decisions"]:
        changed = ", ".join(f"{days}: {count}" for days, count in each["changed"].items() if count)
        table.add_row(
            each["strategy"], _days(each["first_days"]), _days(each["needed_days"]),
            f"{changed or 'none'} of {each['decisions']}",
        )
    return Group(*parts, table)


def _warmup_table(source: Mapping[str, Any]) -> Table:
    table = Table(
        title=f"{source['source']}: how far a feature is from its value with all of history",
        caption="as a share of the larger of its size and its median size; bars of its own timeframe",
    )
    for name in ("feature", "declared warm-up", "worst deviation there", "bars for 1e-6"):
        table.add_column(name, justify="left" if name == "feature" else "right", no_wrap=name == "feature")
    for each in source["features"]:
        deviation = "never known" if each["deviation"] is None else f"{each['deviation']:.1e}"
        needed = "more" if each["needed"] is None else str(each["needed"])
        table.add_row(each["feature"], str(each["declared"]), deviation, needed)
    return table


def _days(days: int | None) -> str:
    return "more" if days is None else f"{days} days"

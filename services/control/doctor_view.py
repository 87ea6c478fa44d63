"""What `tracker doctor` prints without --json."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text
from tracker.runtime.durations import duration
from tracker.runtime.findings import CRITICAL, GROUPS
from tracker.store.health.findings import Finding

from services.control.doctor import Diagnosis

_COLOURS = {"critical": "bold red", "warning": "yellow", "info": "cyan"}


def doctor_view(found: Diagnosis) -> RenderableType:
    """Return how old the findings are, what fails with advice, and then what holds, by group."""
    failing = [each for each in found.findings if not each.ok]
    failing.sort(key=lambda each: (each.severity != CRITICAL, each.severity != "warning"))
    parts: list[RenderableType] = [_first_line(found, failing)]
    for each in failing:
        parts += [Text(), *_broken(each, found)]
    for group in GROUPS:
        mine = [each for each in found.findings if each.group == group and each.ok]
        if mine:
            parts += [Text(), Text(group, "bold"), Padding(_holding(mine, found), (0, 0, 0, 2))]
    return Group(*parts)


def _first_line(found: Diagnosis, failing: Sequence[Finding]) -> Text:
    if found.monitor is None or found.monitor.age_seconds is None:
        return Text("The health monitor has never looked at this fleet: nothing is known of it.", "bold red")
    age = duration(max(found.monitor.age_seconds, 0.0))
    if not found.monitor.alive:
        return Text(f"The health monitor last looked {age} ago: all of this is as old as that.", "bold red")
    if not failing:
        return Text(f"All {len(found.findings)} facts hold, as of {age} ago.", "bold green")
    critical = sum(each.severity == CRITICAL for each in failing)
    return Text(
        f"{len(failing)} of {len(found.findings)} facts do not hold, as of {age} ago; {critical} critical.",
        "bold red" if critical else "bold yellow",
    )


def _broken(finding: Finding, found: Diagnosis) -> Iterator[RenderableType]:
    head = Text(f"{finding.severity.upper()}  ", _COLOURS.get(finding.severity, ""))
    head.append(finding.name, "bold").append(f"  ({finding.group}, for {_since(finding, found)})", "dim")
    yield head
    yield Padding(Text(f"observed: {finding.observed}"), (0, 0, 0, 4))
    yield Padding(Text(f"limit:    {finding.limit}"), (0, 0, 0, 4))
    yield Padding(Text(f"to do:    {finding.advice}"), (0, 0, 0, 4))


def _holding(findings: Sequence[Finding], found: Diagnosis) -> Table:
    table = Table(
        Column("holds"), Column("observed"), Column("limit"), Column("for", no_wrap=True),
        box=None, padding=(0, 2, 0, 0), header_style="dim",
    )  # fmt: skip
    for each in findings:
        table.add_row(Text(each.name), Text(each.observed), Text(each.limit, "dim"), Text(_since(each, found), "dim"))
    return table


def _since(finding: Finding, found: Diagnosis) -> str:
    return duration(max((found.now - finding.since).total_seconds(), 0.0))

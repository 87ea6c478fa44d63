"""The table of all invariants for docs/health.md: `python -m services.health_monitor.catalogue` prints it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from services.health_monitor.invariants import GROUPS
from services.health_monitor.invariants.base import Group, Invariant
from services.health_monitor.settings import MonitorSettings

PREFIX = str(MonitorSettings.model_config.get("env_prefix", ""))


def catalogue() -> str:
    """Return the table in Markdown, a part for each group."""
    return "\n".join(line for group in GROUPS for line in _group(group))


def _group(group: Group) -> Iterator[str]:
    yield f"### {group.name}"
    yield ""
    yield "| finding | severity | what holds | settings of the limit |"
    yield "|---|---|---|---|"
    for kind in group.invariants:
        limits = "<br>".join(map(_setting, kind.settings)) or "-"
        yield f"| {kind.name} | {kind.severity} | {_sentence(kind)} | {limits} |"
    yield ""


def _sentence(kind: type[Invariant]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0].replace("|", "\\|")


def _setting(name: str) -> str:
    default = MonitorSettings.model_fields[name].default
    # What is no number is a place, or a list as long as the fleet.
    shown = f" = {default:g}" if isinstance(default, int | float) else ""
    return f"`{PREFIX}{name.upper()}`{shown}"


if __name__ == "__main__":
    sys.stdout.write(catalogue())

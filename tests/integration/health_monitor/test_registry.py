"""The invariants as a whole: their groups, their names, and that each has been seen to break."""

from __future__ import annotations

import importlib

import pytest
from ward import GROUPS as MODULES
from ward import Drill

from services.health_monitor.invariants import ALL, GROUPS, Invariant
from services.health_monitor.settings import MonitorSettings

NAMES = ("data pipeline", "strategies", "ml", "risk", "error recovery", "edge cases", "load")
SEVERITIES = ("critical", "warning", "info")


def drilled() -> set[type[Invariant]]:
    found: set[type[Invariant]] = set()
    for module in MODULES:
        drills: tuple[Drill, ...] = importlib.import_module(f"drills_{module}").DRILLS
        found |= {drill.kind for drill in drills}
    return found


def test_the_groups_are_the_seven() -> None:
    assert tuple(group.name for group in GROUPS) == NAMES
    assert all(kind.group == group.name for group in GROUPS for kind in group.invariants)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_each_is_described(kind: type[Invariant]) -> None:
    assert kind.__doc__ is not None
    assert kind.__doc__ != Invariant.__doc__
    assert kind.severity in SEVERITIES
    assert kind.advice
    assert set(kind.settings) <= set(MonitorSettings.model_fields)


def test_no_two_have_one_name() -> None:
    names = [kind.name for kind in ALL]
    assert len(set(names)) == len(names)


def test_each_has_a_drill_in_which_it_breaks() -> None:
    assert {kind.__name__ for kind in ALL} - {kind.__name__ for kind in drilled()} == set()

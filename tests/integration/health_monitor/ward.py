"""A fleet's database in which everything can be made to fail, its monitor, and the drills it is put through."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracker.runtime.findings import document
from tracker.runtime.logging import get_logger
from tracker.runtime.settings import load_settings
from tracker.store.database import Database
from tracker.testing.clock import FixedClock

from services.health_monitor.invariants.base import Invariant
from services.health_monitor.service import HealthMonitor
from services.health_monitor.settings import MonitorSettings

SERVICES = "data_collector,strategy_scanner_dca"
GROUPS = ("data_pipeline", "strategies", "ml", "risk", "error_recovery", "edge_cases", "load")
HEALTHY = Path(__file__).parent / "healthy"


@dataclass(slots=True)
class Ward:
    """The database as its owner and as the monitor see it; `more` is where a drill keeps what it started."""

    owner: Database
    database: Database
    monitor: HealthMonitor
    clock: FixedClock
    open_as: Callable[[str | None], Awaitable[Database]]
    more: dict[str, Any] = field(default_factory=dict)

    def restarted(self, **settings: Any) -> HealthMonitor:
        """Put a new monitor in the place of the old one."""
        self.monitor = monitor(self.database, self.clock, **settings)
        return self.monitor

    async def execute(self, *statements: str) -> None:
        """Do something as the owner, all in one transaction."""
        async with self.owner.transaction() as transaction:
            for statement in statements:
                await transaction.connection.execute(statement)
            await transaction.commit()

    async def value(self, query: str) -> Any:
        """Return what a query says first."""
        async with self.owner.transaction() as transaction:
            return await transaction.connection.fetchval(query)

    async def make_healthy(self) -> None:
        """Write the rows of a fleet in which everything holds."""
        # What refers to rows of more than one group comes last.
        for group in (*GROUPS, "orders"):
            await self.execute((HEALTHY / f"{group}.sql").read_text(encoding="utf-8"))

    async def history(self, name: str) -> list[bool]:
        """Return whether a finding held each time it was kept."""
        async with self.owner.transaction() as transaction:
            rows = await transaction.connection.fetch(
                "SELECT ok FROM tracker.health_checks WHERE name = $1 ORDER BY check_id", name
            )
        return [row["ok"] for row in rows]

    async def look(self) -> dict[str, dict[str, Any]]:
        """Return the findings of a new look at everything by their names."""
        self.clock.advance(3600)
        assert not await self.monitor.run_once()
        return {each.name: document(each) for each in self.monitor.findings()}

    async def failing(self) -> list[str]:
        """Return the names of what does not hold at a new look."""
        return [name for name, finding in (await self.look()).items() if not finding["ok"]]

    async def red(self, name: str) -> str:
        """Check that nothing but `name` is broken, and return what was observed."""
        findings = await self.look()
        assert [each for each, finding in findings.items() if not finding["ok"]] == [name]
        return findings[name]["observed"]

    async def green(self) -> None:
        """Check that everything holds."""
        findings = await self.look()
        assert {name: each["observed"] for name, each in findings.items() if not each["ok"]} == {}


def monitor(database: Database, clock: FixedClock, **settings: Any) -> HealthMonitor:
    """Return a monitor with the tests' settings."""
    chosen = load_settings(MonitorSettings, {"services": SERVICES, **settings})
    return HealthMonitor(database, chosen, clock, get_logger("test"))


Step = str | Callable[[Ward], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """How an invariant is made to break and to hold again: SQL of the owner, or what is done to the ward.

    `name` is that of the finding, `observed` a regular expression for what is seen while it is broken, `before` what
    has to be there first. `settings` are the monitor's.
    """

    kind: type[Invariant]
    name: str
    breaking: Step
    observed: str
    mending: Step
    before: Step = ""
    settings: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Name the drill in the list of tests."""
        return f"{self.kind.__name__}-{self.name}"


async def go_through(drill: Drill, ward: Ward) -> None:
    """Check that a finding is green, red once its fact is broken, and green again once it is mended."""
    await ward.make_healthy()
    if drill.settings:
        ward.restarted(**drill.settings)
    await _take(drill.before, ward)
    first = (await ward.look()).get(drill.name)
    assert first is None or first["ok"], first
    await _take(drill.breaking, ward)
    broken = (await ward.look())[drill.name]
    assert not broken["ok"], broken
    assert re.fullmatch(drill.observed, broken["observed"]), broken["observed"]
    assert (broken["severity"], broken["group"]) == (drill.kind.severity, drill.kind.group)
    assert broken["advice"]
    assert broken["limit"]
    await _take(drill.mending, ward)
    mended = (await ward.look()).get(drill.name)
    assert mended is None or mended["ok"], mended
    # Not there is well only where it was seen to hold: a finding that is never green would be none.
    assert first is not None or mended is not None, "it was never seen green"
    assert mended is None or (await ward.history(drill.name))[-2:] == [False, True]


async def _take(step: Step, ward: Ward) -> None:
    if callable(step):
        await step(ward)
    elif step:
        await ward.execute(step)

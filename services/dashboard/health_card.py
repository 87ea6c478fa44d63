"""The lights of the fleet: services, bars, and the health monitor's invariants by group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from nicegui import ui
from tracker.store.pages.overview import Finding, Freshness, HealthFacts, read_freshness, read_health
from tracker.store.pages.shell import ServiceState, read_services

from services.dashboard import formats
from services.dashboard.context import PageContext
from services.dashboard.elements.columns import Column
from services.dashboard.elements.local_time import LocalTime
from services.dashboard.elements.parts import Light, section
from services.dashboard.elements.small_table import SmallTable
from services.dashboard.reader import Question

SERVICES = Question(read=read_services, seconds=2.0, with_bars=False)
HEALTH = Question(read=read_health, seconds=5.0, with_bars=False)
FRESHNESS = Question(read=read_freshness)
GROUPS = ("data pipeline", "strategies", "ml", "risk", "error recovery", "edge cases", "load")
TONES = {"critical": "bad", "warning": "warn", "info": "quiet"}
LATE_SECONDS, LOST_SECONDS = 150, 600
# What is unwell is read from above; the rest is in `tracker doctor`.
MOST_SHOWN = 12
FAILING = (
    Column(name="severity", label="", look="severity"), Column(name="name", label="What does not hold", hint="advice"),
    Column(name="observed", label="Observed"), Column(name="threshold", label="Limit"),
    Column(name="since", label="Since", look="ago"), Column(name="advice", label="What to do", look="wrapped"),
)  # fmt: skip


async def build(page: PageContext) -> None:
    """Build the card."""
    with section("Health", span=12):
        with ui.element("div").classes("lights"):
            services, bars = Light("services"), Light("bars")
            groups = {name: Light(name) for name in GROUPS}
        with ui.element("div").classes("lights quiet small"):
            with ui.element("span").classes("light"):
                ui.label("newest bar closed")
                newest = LocalTime(look="moment")
            with ui.element("span").classes("light"):
                ui.label("invariants looked at")
                looked = LocalTime(look="ago", none="never")
        failing = SmallTable(FAILING, "").classes("wraps")

    def show_bars(found: tuple[Freshness, ...]) -> None:
        latest = max(found, key=lambda each: each.closed_through, default=None)
        bars.show(*bar_light(latest.updated_at if latest else None, page.clock.now()))
        newest.set_at(latest.closed_through if latest else None)

    def show_health(facts: HealthFacts) -> None:
        for name, light in groups.items():
            light.show(*group_light(name, facts))
        looked.set_at(facts.looked_at)
        broken = [each for each in facts.findings if not each.ok][:MOST_SHOWN]
        failing.set_visibility(bool(broken))
        failing.set_rows(_row(each) for each in broken)

    await page.reader.watch(lambda states: services.show(*service_light(states)), SERVICES)
    await page.reader.watch(show_bars, FRESHNESS)
    await page.reader.watch(show_health, HEALTH)


def _row(finding: Finding) -> dict[str, object]:
    return {
        "severity": finding.severity, "name": finding.name, "observed": finding.observed,
        "threshold": finding.threshold, "since": finding.since, "advice": finding.advice,
    }  # fmt: skip


def service_light(states: Sequence[ServiceState]) -> tuple[str, str]:
    """Return words and tone for the services as a whole."""
    if not states:
        return "no service has beaten yet", "quiet"
    unwell = [each for each in states if not each.is_well]
    if not unwell:
        return f"{len(states)} services well", "good"
    lost = any(each.state in ("fail", "silent") for each in unwell)
    return f"{len(unwell)} of {len(states)} services unwell", "bad" if lost else "warn"


def fleet_light(states: Sequence[ServiceState], facts: HealthFacts | None) -> tuple[str, str]:
    """Return words and tone for the whole: what does not hold is said before how many services are well."""
    words, tone = service_light(states)
    if tone == "bad" or facts is None:
        return words, tone
    if not facts.alive:
        return "nobody watches: no look of the health monitor", "bad" if facts.looked_at else tone
    broken = Counter(each.severity for each in facts.findings if not each.ok and each.severity != "info")
    if not broken:
        return words, tone
    told = ", ".join(f"{broken[each]} {each}" for each in TONES if broken[each])
    return (told, "bad") if broken["critical"] else (told, "warn")


def bar_light(told_at: datetime | None, now: datetime) -> tuple[str, str]:
    """Return words and tone for the age of what was last told of bars."""
    if told_at is None:
        return "no bar yet", "quiet"
    age = (now - told_at).total_seconds()
    if age < LATE_SECONDS:
        return "bars come", "good"
    return f"no bar for {formats.seconds(age)}", "warn" if age < LOST_SECONDS else "bad"


def group_light(name: str, facts: HealthFacts) -> tuple[str, str]:
    """Return words and tone of one group of invariants; nothing is known while the monitor does not look."""
    mine = [each for each in facts.findings if each.group == name]
    if not facts.alive or not mine:
        return name, "quiet"
    broken = [each for each in mine if not each.ok]
    if not broken:
        return name, "good"
    worst = next(each for each in TONES if any(found.severity == each for found in broken))
    return f"{name}: {len(broken)}", TONES[worst]

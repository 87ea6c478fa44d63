"""Fleet: which services run, how they are, what they say, and what was commanded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime

from nicegui import ui
from tracker.store.pages.fleet import FleetFacts, read_fleet
from tracker.store.pages.shell import ServiceState

from services.dashboard import formats
from services.dashboard.context import PageContext
from services.dashboard.elements.columns import Column
from services.dashboard.elements.command import CommandButton
from services.dashboard.elements.controls import chooser
from services.dashboard.elements.parts import Stat, empty, section
from services.dashboard.elements.small_table import SmallTable
from services.dashboard.health_card import SERVICES
from services.dashboard.log_tail import log_names, read_tail
from services.dashboard.reader import Question

FLEET = Question(read=read_fleet, seconds=3.0, with_bars=False)
LOG_SECONDS = 2.0
RUNNING = ("pass", "warn", "fail")
SERVICE_COLUMNS = (
    Column(name="service", label="Service"), Column(name="role", label="Role"),
    Column(name="state", label="State", look="status"), Column(name="beat_at", label="Last beat", look="ago"),
    Column(name="started_at", label="Started", look="moment"), Column(name="restarts", label="Restarts", look="count"),
    Column(name="rss_bytes", label="Memory", look="bytes"), Column(name="pid", label="Process", look="plain"),
    Column(name="problem", label="What is the matter", look="wrapped"),
)  # fmt: skip
LEASES = (
    Column(name="lease", label="Lease"), Column(name="service", label="Service"),
    Column(name="state", label="Held", look="status"), Column(name="acquired_at", label="Since", look="moment"),
    Column(name="holder", label="By"),
)  # fmt: skip
JOBS = (
    Column(name="started_at", label="Started", look="moment"), Column(name="kind", label="Work", look="words"),
    Column(name="strategy", label="Strategy"), Column(name="outcome", label="Outcome", look="words", hint="error"),
    Column(name="seconds", label="Took", look="seconds"), Column(name="peak_bytes", label="Memory", look="bytes"),
    Column(name="attempt", label="Try", look="count"),
)  # fmt: skip
ALERTS = (
    Column(name="severity", label="", look="severity"), Column(name="name", label="What"),
    Column(name="observed", label="Observed"), Column(name="threshold", label="Limit"),
    Column(name="first_at", label="Told", look="ago"), Column(name="repeats", label="Came back", look="count"),
)  # fmt: skip
AUDIT = (
    Column(name="at", label="When", look="moment"), Column(name="who", label="Who"),
    Column(name="address", label="From"), Column(name="action", label="What", look="words"),
    Column(name="subject", label="Of"), Column(name="outcome", label="Outcome", look="words"),
    Column(name="reason", label="Why"), Column(name="note", label="Answer", look="wrapped"),
)  # fmt: skip
LOG = (
    Column(name="at", label="When", look="clock"), Column(name="level", label="Level", look="level"),
    Column(name="message", label="Message", look="wrapped"), Column(name="more", label="With", look="wrapped"),
)  # fmt: skip


async def build(page: PageContext) -> None:
    """Build the page."""
    await _services(page)
    _log(page)
    await _rest(page)


async def _services(page: PageContext) -> None:
    with section("Services", span=12):
        with ui.element("div").classes("stats"):
            running, memory = Stat("Running"), Stat("Memory")
            restarts, oldest = Stat("Restarts"), Stat("Longest silence")
        table = SmallTable(SERVICE_COLUMNS, "No service has beaten yet: `tracker up` starts them.")

    def show(states: tuple[ServiceState, ...]) -> None:
        alive = [each for each in states if each.state in RUNNING]
        unwell = [each for each in states if not each.is_well]
        running.show(
            f"{len(alive)} of {len(states)}", f"{len(unwell)} unwell" if unwell else "all well",
            "warn" if unwell else "plain",
        )  # fmt: skip
        memory.show(formats.megabytes(sum(each.rss_bytes for each in alive)), "resident, Postgres not counted")
        restarts.show(formats.count(sum(each.restarts for each in states)), "since each was first started")
        silence = longest_silence(states, page.clock.now())
        oldest.show(formats.seconds(silence), "silent is who has not beaten for 30 s")
        table.set_rows(service_rows(states))

    await page.reader.watch(show, SERVICES)


def longest_silence(states: Iterable[ServiceState], now: datetime) -> float | None:
    """Return for how many seconds whoever has not beaten for longest has not, of those that were not stopped."""
    lasting = [max(0.0, (now - each.beat_at).total_seconds()) for each in states if each.state != "stopped"]
    return max(lasting, default=None)


def service_rows(states: Iterable[ServiceState]) -> list[dict[str, object]]:
    """Return a row an instance, those that are unwell first."""
    found = sorted(states, key=lambda each: (each.is_well, each.service, each.started_at))
    return [
        {
            "service": each.service, "role": each.role, "state": each.state, "beat_at": each.beat_at,
            "started_at": each.started_at, "restarts": each.restarts, "rss_bytes": each.rss_bytes, "pid": each.pid,
            "problem": each.problem,
        }
        for each in found
    ]  # fmt: skip


def _log(page: PageContext) -> None:
    folder = page.settings.state_dir / "logs"
    names = log_names(folder)
    with section("Log", span=12, note="the newest lines first"):
        if not names:
            empty(
                "There are no log files on this machine.",
                "`tracker up` writes them to .data/logs. On Railway each service's log is under its name, in the tab"
                " Logs of a deployment; every line is one JSON object.",
            )
            return
        first = "paper_trader" if "paper_trader" in names else names[0]
        with ui.element("div").classes("controls"):
            chosen = chooser("Service", names, first, lambda: show(), typed=True)
        with ui.element("div").classes("log"):
            table = SmallTable(LOG, "This service has written nothing yet.")

    async def show() -> None:
        table.set_rows(await asyncio.to_thread(read_tail, folder, str(chosen.value or "")))

    table.set_rows(read_tail(folder, first))
    ui.timer(LOG_SECONDS, show)


async def _rest(page: PageContext) -> None:
    with section("Open alerts", span=6):
        alerts = SmallTable(ALERTS, "Nobody has to be told of anything.")
    with section("Leases", span=6, note="where only one instance may act"):
        leases = SmallTable(LEASES, "No lease was ever taken.")
    with section("Work on models", span=12):
        with ui.element("div").classes("commands"):
            CommandButton(
                page, "Retrain", "retrain", "all",
                "A training of every strategy's model is queued; of the same work one waits or runs at a time.",
                icon="model_training",
            )
        jobs = SmallTable(JOBS, "No job has run yet: models are trained at night, or by `tracker retrain now`.")
    with section("Sign-ins and commands", span=12):
        audit = SmallTable(AUDIT, "Nobody has signed in or commanded anything yet.")

    def show(facts: FleetFacts) -> None:
        alerts.set_rows(facts.alerts)
        leases.set_rows({**each, "state": "ok" if each["held"] else "expired"} for each in facts.leases)
        jobs.set_rows({**each, "outcome": each["outcome"] or "running"} for each in facts.jobs)
        audit.set_rows(facts.audit)

    await page.reader.watch(show, FLEET)

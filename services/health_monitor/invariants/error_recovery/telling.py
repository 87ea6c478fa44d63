"""Those who should know are told: Slack, the reports' readers, and whoever reads these findings."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.error_recovery import MonitorFacts, ReportFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

HOUR_SECONDS = 3600.0


class OutboxDelivered(Invariant):
    """Messages for Slack are delivered within minutes, and none is given up."""

    name = "Slack outbox"
    group = "error recovery"
    severity = "warning"
    unit = "s"
    settings = ("outbox_limit_seconds",)
    advice = "dashboards.outbox has each with its error: a token or channel may be wrong, or slack_reporter is down"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(ReportFacts), seen.settings.outbox_limit_seconds
        # Who names neither a token nor a webhook wants nothing sent: the page has it all.
        if facts.delivery == "none":
            yield Verdict(
                observed="no Slack is set up: all is kept in the database", limit="none is sent", ok=True, value=0.0
            )
            return
        age = facts.age(facts.waits_since) or 0.0
        words = f"{facts.waiting} wait, for up to {age:.0f} s" if facts.waiting else "none waits"
        if facts.given_up:
            words += f", {facts.given_up} given up within a day"
        if facts.error and (facts.given_up or age > limit):
            words += f": {facts.error}"
        yield Verdict(
            observed=words, limit=f"{limit:.0f} s, none given up", ok=age <= limit and not facts.given_up, value=age
        )


class ReportsOnTime(Invariant):
    """The daily reports are made when they are due."""

    name = "reports"
    group = "error recovery"
    severity = "warning"
    unit = "h"
    settings = ("report_limit_hours",)
    advice = "`tracker report --now` makes one; look at slack_reporter's log"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict; before the reporter's first run nothing is expected."""
        facts, limit = seen.of(ReportFacts), seen.settings.report_limit_hours
        age = facts.age(facts.reported_through)
        hours = (age or 0.0) / HOUR_SECONDS
        yield Verdict(
            observed="no reporter has run yet" if age is None else f"made up to {hours:.1f} h ago",
            limit=f"{limit:g} h",
            ok=hours <= limit,
            value=None if age is None else hours,
        )


class LookQuick(Invariant):
    """A look at everything takes a fraction of the time between two."""

    name = "look quick"
    group = "error recovery"
    severity = "warning"
    unit = "s"
    settings = ("look_share_limit", "every_seconds")
    advice = "tracker_facts_seconds in the monitor's /metrics says which facts take long; the database may be busy"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict on the look before this one."""
        facts, share = seen.of(MonitorFacts), seen.settings.look_share_limit
        limit = share * seen.settings.every_seconds
        seconds = facts.seconds
        yield Verdict(
            observed="the first look" if seconds is None else f"{seconds:.2f} s",
            limit=f"{limit:g} s",
            ok=seconds is None or seconds <= limit,
            value=seconds,
        )

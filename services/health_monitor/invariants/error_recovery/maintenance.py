"""The tasks that keep the database in order are done, and come to their end."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.error_recovery import MaintenanceFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

HOUR_SECONDS = 3600.0


class MaintenanceSucceeds(Invariant):
    """Each task that keeps the database in order succeeded lately, and does not fail time after time."""

    name = "maintenance"
    group = "error recovery"
    severity = "warning"
    unit = "h"
    settings = ("maintenance_limit_hours", "maintenance_failures_limit")
    advice = "`tracker maintain TASK` runs it by hand and shows the error; data_scheduler tries again by itself"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each task that was ever tried."""
        facts, settings = seen.of(MaintenanceFacts), seen.settings
        for task, since in sorted(facts.tried_since.items()):
            history = facts.histories[task]
            hours = (facts.age(history.succeeded_at or since) or 0.0) / HOUR_SECONDS
            words = f"{hours:.1f} h ago" if history.succeeded_at else f"never in {hours:.1f} h"
            if history.failures:
                words += f", {history.failures} failures since: {history.error}"
            yield Verdict(
                subject=task,
                observed=words,
                limit=f"within {settings.maintenance_limit_hours:g} h,"
                f" fewer than {settings.maintenance_failures_limit} failures in a row",
                ok=hours <= settings.maintenance_limit_hours
                and history.failures < settings.maintenance_failures_limit,
                value=hours,
                advice=f"`tracker maintain {task}` runs it by hand and shows the error; the service tries again too",
            )


class MaintenanceEnds(Invariant):
    """No run of such a task hangs."""

    name = "maintenance ends"
    group = "error recovery"
    severity = "warning"
    unit = "h"
    settings = ("maintenance_run_limit_hours",)
    advice = "it waits for a lock or its process is gone: look at data_scheduler's log and at pg_stat_activity"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict on the oldest run that has not ended."""
        facts, limit = seen.of(MaintenanceFacts), seen.settings.maintenance_run_limit_hours
        oldest = next(iter(facts.open_runs), None)
        hours = 0.0 if oldest is None else (facts.age(oldest.started_at) or 0.0) / HOUR_SECONDS
        yield Verdict(
            observed="none runs" if oldest is None else f"{oldest.task} for {hours:.1f} h",
            limit=f"{limit:g} h",
            ok=hours <= limit,
            value=hours,
        )

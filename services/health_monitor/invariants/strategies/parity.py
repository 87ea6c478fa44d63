"""What was decided and booked is what the rules make of the stored bars."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.strategies import ParityFacts
from tracker.store.parity_reports import LastReport

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

HOUR_SECONDS = 3600.0


class ParityHolds(Invariant):
    """The last nightly report is young, came to its end, and found no difference."""

    name = "parity holds"
    group = "strategies"
    severity = "critical"
    settings = ("parity_limit_hours",)
    advice = (
        "dashboards.parity has the first differences, `tracker verify parity` all of them; once mended,"
        " `tracker maintain nightly_parity` reports anew"
    )

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict; nothing is expected before there are decisions to compare."""
        facts, limit = seen.of(ParityFacts), seen.settings.parity_limit_hours
        report = facts.report
        # Until the first report: since the task has been run for the first time.
        age = facts.age(report.finished_at or report.tried_since)
        hours = 0.0 if age is None else age / HOUR_SECONDS
        problem = _problem(report)
        good = f"no difference, {hours:.0f} h ago" if report.finished_at else "no report yet"
        if report.scanned and hours > limit:
            problem = f"the last report is {hours:.0f} h old" if report.finished_at else f"no report for {hours:.0f} h"
        yield Verdict(
            observed=problem or good,
            limit=f"no difference, within {limit:.0f} h",
            ok=problem is None,
        )


_NAMED = ("what", "strategy", "symbol", "decided_at", "name")


def _problem(report: LastReport) -> str | None:
    if report.error is not None:
        return f"the last check failed: {report.error}"
    if report.never_scanned:
        return f"never scanned: {', '.join(report.never_scanned)}"
    if not report.differences:
        return None
    first = report.first_difference or {}
    return f"{report.differences} differences, first {' '.join(str(first.get(name)) for name in _NAMED)}"

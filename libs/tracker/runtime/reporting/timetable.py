"""When reports are due: times of a wall clock, which a zone moves twice a year."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from tracker.runtime.reporting.rules import ReportRules

DAY = timedelta(days=1)
# A zone may be a day ahead or behind, and a weekly report is due within the last eight days.
DAILY_DAYS = 3
WEEKLY_DAYS = 9


class ReportKind(StrEnum):
    """The reports that there are."""

    MORNING = "morning"
    EVENING = "evening"
    WEEKLY = "weekly"

    @property
    def timetable(self) -> str:
        """The timetable by which it comes: of the daily ones the last that is due takes the place of the others."""
        return "weekly" if self is ReportKind.WEEKLY else "daily"


@dataclass(frozen=True, slots=True, kw_only=True)
class DueReport:
    """A report that is to be made; `skipped` counts those before it that were missed and that it stands for."""

    kind: ReportKind
    due_at: datetime
    skipped: int = 0


def due_times(rules: ReportRules, timetable: str, first: datetime, end: datetime) -> list[tuple[datetime, ReportKind]]:
    """Return when reports of a timetable are due in (first, end], UTC, in order, each moment once."""
    zone = rules.timezone
    day = first.astimezone(zone).date() - DAY
    found: dict[datetime, ReportKind] = {}
    while day <= end.astimezone(zone).date() + DAY:
        for kind, moment in _of_day(rules, timetable, day):
            if first < moment <= end:
                found.setdefault(moment, kind)
        day += DAY
    return sorted(found.items())


def _of_day(rules: ReportRules, timetable: str, day: date) -> Iterator[tuple[ReportKind, datetime]]:
    zone = rules.timezone
    # A time that the clocks leave out counts from before the change, one that comes twice is the first of the two.
    morning = datetime.combine(day, rules.morning, zone).astimezone(UTC)
    if timetable == "weekly":
        if day.weekday() == rules.weekly_day.number:
            yield ReportKind.WEEKLY, morning
        return
    yield ReportKind.MORNING, morning
    yield ReportKind.EVENING, datetime.combine(day, rules.evening, zone).astimezone(UTC)


def due_report(rules: ReportRules, timetable: str, due_through: datetime, now: datetime) -> DueReport | None:
    """Return what is to be made now, None where nothing is due since `due_through`.

    After an outage that is the last report that came due, once, and not each that was missed.
    """
    # What came due before is passed over all the same, so counting need not go back years.
    first = max(due_through, now - timedelta(days=366))
    due = due_times(rules, timetable, first, now)
    if not due:
        return None
    moment, kind = due[-1]
    return DueReport(kind=kind, due_at=moment, skipped=len(due) - 1)


def last_kind(rules: ReportRules, now: datetime) -> ReportKind:
    """Return the kind of the daily report that came due last."""
    due = due_times(rules, "daily", now - DAILY_DAYS * DAY, now)
    return due[-1][1]


def covered_from(rules: ReportRules, kind: ReportKind, due_at: datetime) -> datetime:
    """Return when the report before one was due, for one that is the first."""
    days = WEEKLY_DAYS if kind is ReportKind.WEEKLY else DAILY_DAYS
    before = due_times(rules, kind.timetable, due_at - days * DAY, due_at - timedelta(seconds=1))
    return before[-1][0] if before else due_at - days * DAY

"""Which task is next, and which months it concerns: pure rules."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from tracker.runtime.maintenance_rules import MaintenanceRules, TaskName
from tracker.store.archive import BarMonth
from tracker.store.maintenance import History

# A clustered month that has grown by more than this share got more history: it is brought into order again.
GROWTH = 0.1
NEVER = datetime(1, 1, 1, tzinfo=UTC)


def next_task(
    rules: MaintenanceRules, histories: Mapping[str, History], now: datetime, without: Collection[TaskName] = ()
) -> TaskName | None:
    """Return the due task whose last run lies furthest back, so that a long one leaves the others their turn."""
    due = [task for task in TaskName if task not in without and is_due(rules, task, histories[task], now)]
    return min(due, key=lambda task: _last_run(histories[task]), default=None)


def is_due(rules: MaintenanceRules, task: TaskName, history: History, now: datetime) -> bool:
    """Tell whether a task is to run: after a failure its wait counts, and not the schedule."""
    if history.failures and history.failed_at is not None:
        return now - history.failed_at >= rules.retry.wait(history.failures)
    return history.unfinished or rules.schedule[task].is_due(now, history.succeeded_at)


def archivable(months: Sequence[BarMonth], event_time: datetime, keep: int) -> list[BarMonth]:
    """Return the months that belong into the archive: more than `keep` whole ones before the current one."""
    first_kept = months_before(event_time, keep)
    return [each for each in months if each.month < first_kept and not each.filling]


def clusterable(months: Sequence[BarMonth], event_time: datetime, settle: timedelta, keep: int) -> list[BarMonth]:
    """Return the closed months that are to be brought into the order of their key.

    Not those that go into the archive, which orders them too, nor those a backfill is still filling.
    """
    first_kept = months_before(event_time, keep)
    return [
        each
        for each in months
        if first_kept <= each.month and each.ends_at + settle <= event_time and not each.filling and _unordered(each)
    ]


def months_before(moment: datetime, count: int) -> datetime:
    """Return the beginning of the month `count` months before the one of `moment`, UTC."""
    number = moment.astimezone(UTC).year * 12 + moment.astimezone(UTC).month - 1 - count
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _unordered(month: BarMonth) -> bool:
    if month.rows == 0:
        return False
    return month.clustered_rows is None or month.rows > month.clustered_rows * (1 + GROWTH)


def _last_run(history: History) -> datetime:
    return max(history.succeeded_at or NEVER, history.failed_at or NEVER)

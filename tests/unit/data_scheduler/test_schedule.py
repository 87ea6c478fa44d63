"""When a task is due, whose turn it is, and which months are whose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tracker.domain.errors import ConfigError
from tracker.runtime.maintenance_rules import MaintenanceRules, Retry, Schedule, TaskName, load_maintenance_rules
from tracker.runtime.settings import PROJECT_ROOT
from tracker.store.archive import BarMonth
from tracker.store.maintenance import History
from tracker.store.parity_reports import ParityMarks

from services.data_scheduler.parity import Night, night_of
from services.data_scheduler.schedule import archivable, clusterable, is_due, months_before, next_task

RULES = load_maintenance_rules(PROJECT_ROOT / "configs")
NOW = datetime(2024, 4, 5, 12, tzinfo=UTC)


def history(task: TaskName = TaskName.ANALYZE, **facts: Any) -> History:
    good: dict[str, Any] = {
        "succeeded_at": None, "seconds": None, "result": {}, "unfinished": False, "failures": 0, "failed_at": None,
        "error": None,
    }
    return History(task=task.value, **(good | facts))


def ago(**duration: float) -> datetime:
    return NOW - timedelta(**duration)


@pytest.mark.parametrize(
    ("schedule", "succeeded_at", "due"),
    [
        ({"every_minutes": 60}, None, True),
        ({"every_minutes": 60}, ago(minutes=59), False),
        ({"every_minutes": 60}, ago(minutes=60), True),
        ({"daily_at": "03:10"}, None, True),
        ({"daily_at": "03:10"}, NOW.replace(hour=3, minute=9), True),
        ({"daily_at": "03:10"}, NOW.replace(hour=3, minute=10), False),
        ({"daily_at": "13:00"}, ago(days=1), True),
        ({"daily_at": "13:00"}, ago(hours=22), False),
    ],
)
def test_a_schedule_counts_from_the_beginning_of_the_last_good_run(
    schedule: dict[str, Any], succeeded_at: datetime | None, due: bool
) -> None:
    assert Schedule.model_validate(schedule).is_due(NOW, succeeded_at) is due


@pytest.mark.parametrize("schedule", [{}, {"every_minutes": 5, "daily_at": "03:10"}, {"daily_at": "03:10+02:00"}])
def test_a_schedule_is_one_of_two_kinds(schedule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="daily_at"):
        Schedule.model_validate(schedule)


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 60), (2, 120), (3, 240), (6, 1920), (7, 3600), (5_000, 3600)]
)
def test_a_wait_doubles_up_to_the_longest(failures: int, seconds: float) -> None:
    retry = Retry(first_seconds=60, longest_seconds=3600, alarm_after=3)
    assert retry.wait(failures) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("facts", "due"),
    [
        ({}, True),
        ({"succeeded_at": ago(minutes=1)}, False),
        ({"succeeded_at": ago(minutes=1), "unfinished": True}, True),
        ({"failures": 1, "failed_at": ago(seconds=59)}, False),
        ({"failures": 1, "failed_at": ago(seconds=60)}, True),
        ({"failures": 2, "failed_at": ago(seconds=60)}, False),
        # A failure in the middle of a long task holds its next slice up as well.
        ({"succeeded_at": ago(minutes=1), "unfinished": True, "failures": 1, "failed_at": ago(seconds=30)}, False),
    ],
)
def test_what_failed_waits_and_what_is_unfinished_goes_on(facts: dict[str, Any], due: bool) -> None:
    assert is_due(RULES, TaskName.ANALYZE, history(**facts), NOW) is due


def test_a_long_task_leaves_the_others_their_turn() -> None:
    done = {task: history(task, succeeded_at=ago(minutes=1)) for task in TaskName}
    assert next_task(RULES, named(done), NOW) is None
    done[TaskName.ARCHIVE_MONTHS] = history(succeeded_at=ago(seconds=10), unfinished=True)
    assert next_task(RULES, named(done), NOW) is TaskName.ARCHIVE_MONTHS
    done[TaskName.REFRESH_AGGREGATES] = history(succeeded_at=ago(hours=1))
    assert next_task(RULES, named(done), NOW) is TaskName.REFRESH_AGGREGATES
    done[TaskName.REFRESH_AGGREGATES] = history(succeeded_at=NOW)
    assert next_task(RULES, named(done), NOW) is TaskName.ARCHIVE_MONTHS
    assert next_task(RULES, named(done), NOW, {TaskName.ARCHIVE_MONTHS}) is None


def test_what_never_ran_comes_first_in_the_order_of_the_tasks() -> None:
    never = {task: history(task) for task in TaskName}
    assert next_task(RULES, named(never), NOW) is TaskName.MAKE_PARTITIONS
    never[TaskName.MAKE_PARTITIONS] = history(succeeded_at=ago(hours=2))
    assert next_task(RULES, named(never), NOW) is TaskName.REFRESH_AGGREGATES


def named(histories: dict[TaskName, History]) -> dict[str, History]:
    return {task.value: each for task, each in histories.items()}


def month(text: str, *, rows: int = 100, clustered: int | None = None, filling: bool = False) -> BarMonth:
    first = datetime.fromisoformat(f"{text}-01T00:00:00+00:00")
    return BarMonth(
        month=first, ends_at=months_before(first, -1), rows=rows, clustered_rows=clustered, in_work=None,
        filling=filling,
    )


@pytest.mark.parametrize(
    ("moment", "count", "first"),
    [("2024-04-05", 0, "2024-04-01"), ("2024-04-05", 4, "2023-12-01"), ("2024-11-30", -2, "2025-01-01")],
)
def test_months_are_counted_over_the_turn_of_the_year(moment: str, count: int, first: str) -> None:
    found = months_before(datetime.fromisoformat(f"{moment}T00:00:00+00:00"), count)
    assert found == datetime.fromisoformat(f"{first}T00:00:00+00:00")


@pytest.mark.parametrize(
    ("given", "archived", "clustered"),
    [
        (month("2023-12"), True, False),
        (month("2023-12", clustered=100), True, False),
        (month("2023-12", filling=True), False, False),
        (month("2024-01"), False, True),
        (month("2024-02"), False, True),
        (month("2024-02", rows=-1), False, True),
        (month("2024-02", rows=0), False, False),
        (month("2024-02", filling=True), False, False),
        (month("2024-02", clustered=100), False, False),
        (month("2024-02", clustered=95), False, False),
        (month("2024-02", clustered=50), False, True),
        (month("2024-03"), False, True),
        (month("2024-04"), False, False),
        (month("2024-07", rows=-1), False, False),
    ],
)
def test_a_month_is_clustered_once_and_archived_when_old(given: BarMonth, archived: bool, clustered: bool) -> None:
    assert (archivable([given], NOW, 3) == [given]) is archived
    assert (clusterable([given], NOW, timedelta(days=3), 3) == [given]) is clustered


def test_late_bars_are_waited_for() -> None:
    for days, wanted in ((4.5, True), (4.6, False)):
        assert bool(clusterable([month("2024-03")], NOW, timedelta(days=days), 3)) is wanted


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("ahead = 3 ", "ahead = -1 ", "months.ahead = -1"),
        ("archive_after_months = 13", "archive_after_months = 0", "months.archive_after_months = 0"),
        ("[retry]", "[retry]\nforever = 1", "retry.forever"),
        ("analyze = {", "annoy = {", "annoy"),
        ('{ daily_at = "03:50" }', "{ every_minutes = 0 }", "every_minutes = 0"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    text = (PROJECT_ROOT / "configs" / "data_scheduler.toml").read_text()
    assert old in text
    (tmp_path / "data_scheduler.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=sentence):
        load_maintenance_rules(tmp_path)


def test_the_rules_name_every_task() -> None:
    assert set(RULES.schedule) == set(TaskName)
    assert isinstance(RULES, MaintenanceRules)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2024-04-{text}:00+00:00")


@pytest.mark.parametrize(
    ("closed", "scanned", "reported", "first_decision", "night"),
    [
        # The last whole day, from the last report's end on where nights were missed, and a week at most.
        ("05T00:20", "05T00:15", None, "04T10:15", ("03T10:15", "05T00:00")),
        ("05T00:20", "05T00:15", "04T00:00", "01T10:15", ("04T00:00", "05T00:00")),
        ("05T00:20", "05T00:15", "02T00:00", "01T10:15", ("02T00:00", "05T00:00")),
        ("15T00:20", "15T00:15", "02T00:00", "01T10:15", ("08T00:00", "15T00:00")),
        # By hand after a report: the same day again.
        ("05T12:20", "05T12:15", "05T00:00", "01T10:15", ("04T00:00", "05T00:00")),
        # A scanner that is behind is compared as far as it has come.
        ("05T00:20", "04T23:45", "04T00:00", "01T10:15", ("03T23:45", "04T23:45")),
        # Nothing was decided before the day's end, or at all.
        ("05T23:20", "05T23:15", None, "05T10:15", None),
        ("05T00:20", None, None, None, None),
        (None, None, None, None, None),
    ],
)
def test_a_night_is_the_last_whole_day_and_what_no_report_covers(
    closed: str | None, scanned: str | None, reported: str | None, first_decision: str | None,
    night: tuple[str, str] | None,
) -> None:
    moments = [None if each is None else at(each) for each in (closed, scanned, reported)]
    marks = ParityMarks(closed_through=moments[0], scanned_through=moments[1], reported=moments[2])
    wanted = None if night is None else Night(first=at(night[0]), end=at(night[1]))
    assert night_of(marks, None if first_decision is None else at(first_decision), 7) == wanted

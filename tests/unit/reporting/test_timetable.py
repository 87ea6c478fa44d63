"""Reports come at the wall clock's time, on every day once, whatever a zone does to its clocks."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tracker.runtime.reporting.rules import ReportRules, Weekday
from tracker.runtime.reporting.timetable import ReportKind, covered_from, due_report, due_times, last_kind

# Half hours, both halves of the world, a whole day left out (Samoa, 2011) and a change at midnight.
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu",
         "America/Sao_Paulo", "Africa/Casablanca", "Pacific/Kiritimati", "Asia/Gaza"]  # fmt: skip
FIRST = datetime(2005, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 30 * 365 * 86_400).map(lambda seconds: FIRST + timedelta(seconds=seconds))


def rules(zone: str = "UTC", **changes: Any) -> ReportRules:
    facts = {"zone": zone, "morning": "09:00", "evening": "17:00", "weekly_day": "monday", "account": "paper",
             "late_after_minutes": 30, "keep_days": 30}  # fmt: skip
    return ReportRules.model_validate({**facts, **changes})


@given(
    zone=st.sampled_from(ZONES), first=MOMENTS, days=st.integers(1, 40),
    times=st.lists(st.times(), min_size=2, max_size=2, unique=True).map(sorted),
)  # fmt: skip
def test_every_day_has_each_report_once_at_its_time(zone: str, first: datetime, days: int, times: list[time]) -> None:
    made = rules(zone, morning=times[0], evening=times[1])
    found = due_times(made, "daily", first, first + timedelta(days=days))
    moments = [moment for moment, _ in found]
    assert moments == sorted(set(moments))
    assert all(first < moment <= first + timedelta(days=days) for moment in moments)
    wall = {(moment.astimezone(ZoneInfo(zone)).date(), kind) for moment, kind in found}
    whole = (first + timedelta(days=2)).astimezone(ZoneInfo(zone)).date()
    while whole < (first + timedelta(days=days - 2)).astimezone(ZoneInfo(zone)).date():
        for kind, at in zip((ReportKind.MORNING, ReportKind.EVENING), times, strict=True):
            if _exists(whole, at, zone):
                assert (whole, kind) in wall
        whole += timedelta(days=1)
    for moment, kind in found:
        at = times[0] if kind is ReportKind.MORNING else times[1]
        local = moment.astimezone(ZoneInfo(zone))
        left_out = not _exists(local.date(), at, zone) or _late(local, at)
        assert left_out or local.replace(tzinfo=None, fold=0).time() == at


def _exists(day: Any, at: time, zone: str) -> bool:
    local = datetime.combine(day, at, ZoneInfo(zone))
    return local.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local.replace(tzinfo=None)


def _late(local: datetime, at: time) -> bool:
    """A time that the clocks left out, which may have come on the next day."""
    return not _exists(local.date() - timedelta(days=1), at, str(local.tzinfo))


@given(zone=st.sampled_from(ZONES), moments=st.lists(MOMENTS, min_size=2, max_size=12, unique=True).map(sorted))
def test_looking_often_or_seldom_makes_no_report_twice(zone: str, moments: list[datetime]) -> None:
    cursor = moments[0]
    made: list[datetime] = []
    counted = 0
    for now in moments[1:]:
        due = due_report(rules(zone), "daily", cursor, now)
        if due is not None:
            made.append(due.due_at)
            cursor, counted = due.due_at, counted + 1 + due.skipped
        assert due_report(rules(zone), "daily", cursor, now) is None
    assert made == sorted(set(made))
    assert len(made) < len(moments)


@pytest.mark.parametrize(
    ("zone", "day", "utc"),
    [
        ("Europe/Berlin", (2024, 3, 30), 8), ("Europe/Berlin", (2024, 3, 31), 7),
        ("Europe/Berlin", (2024, 10, 27), 8), ("America/New_York", (2024, 3, 9), 14),
        ("America/New_York", (2024, 3, 10), 13), ("Asia/Tokyo", (2024, 7, 1), 0),
    ],
)  # fmt: skip
def test_nine_is_nine_on_the_wall(zone: str, day: tuple[int, int, int], utc: int) -> None:
    begin = datetime(*day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    found = due_times(rules(zone), "daily", begin, begin + timedelta(hours=12))
    assert found[0] == (datetime(*day, utc, tzinfo=UTC), ReportKind.MORNING)


def test_after_an_outage_one_report_stands_for_all() -> None:
    due = due_report(rules(), "daily", datetime(2024, 3, 1, 9, tzinfo=UTC), datetime(2024, 3, 4, 12, tzinfo=UTC))
    assert due is not None
    assert (due.kind, due.due_at, due.skipped) == (ReportKind.MORNING, datetime(2024, 3, 4, 9, tzinfo=UTC), 5)


def test_the_weekly_one_comes_with_the_morning_of_its_day() -> None:
    made = rules("Europe/Berlin", weekly_day=Weekday.SUNDAY)
    found = due_times(made, "weekly", datetime(2024, 3, 20, tzinfo=UTC), datetime(2024, 4, 8, tzinfo=UTC))
    assert [moment for moment, _ in found] == [datetime(2024, 3, day, hour, tzinfo=UTC) if day > 20 else
            datetime(2024, 4, day, hour, tzinfo=UTC) for day, hour in ((24, 8), (31, 7), (7, 7))]  # fmt: skip
    assert {kind for _, kind in found} == {ReportKind.WEEKLY}


def test_the_first_report_covers_what_one_always_does() -> None:
    at = datetime(2024, 3, 4, 9, tzinfo=UTC)
    assert covered_from(rules(), ReportKind.MORNING, at) == datetime(2024, 3, 3, 17, tzinfo=UTC)
    assert covered_from(rules(), ReportKind.WEEKLY, at) == datetime(2024, 2, 26, 9, tzinfo=UTC)
    assert last_kind(rules(), at) is ReportKind.MORNING
    assert last_kind(rules(), at - timedelta(seconds=1)) is ReportKind.EVENING


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"zone": "Europe/Atlantis"}, "no IANA time zone"), ({"zone": "../etc/passwd"}, "no IANA time zone"),
        ({"morning": "18:00"}, "morning comes before evening"), ({"morning": "09:00Z"}, "without a zone"),
        ({"weekly_day": "someday"}, "weekly_day"),
    ],
)  # fmt: skip
def test_a_timetable_that_cannot_be_kept_is_refused(changes: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        rules(**changes)

"""What the pages of the fleet and of the data make of what they read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tracker.store.pages.overview import Finding, HealthFacts
from tracker.store.pages.shell import ServiceState
from tracker.testing.builders import START

from services.dashboard.health_card import group_light
from services.dashboard.pages.data import month_row, slowest_stage, task_state, totals
from services.dashboard.pages.fleet import longest_silence, service_rows


def finding(group: str, severity: str, *, ok: bool) -> Finding:
    return Finding(
        name="each", group=group, severity=severity, observed="1", threshold="0", ok=ok, since=START, advice="look"
    )


@pytest.mark.parametrize(("findings", "words", "tone"), [
    ([], "risk", "quiet"), ([("critical", True), ("info", True)], "risk", "good"),
    ([("info", False), ("critical", True)], "risk: 1", "quiet"),
    ([("info", False), ("warning", False)], "risk: 2", "warn"),
    ([("warning", False), ("critical", False)], "risk: 2", "bad"),
])
def test_a_group_s_light_is_that_of_the_worst_that_does_not_hold(
    findings: list[tuple[str, bool]], words: str, tone: str
) -> None:
    found = tuple(finding("risk", severity, ok=ok) for severity, ok in findings)
    other = finding("ml", "critical", ok=False)
    facts = HealthFacts(findings=(other, *found), alive=True, looked_at=START)
    assert group_light("risk", facts) == (words, tone)


def test_where_the_monitor_does_not_look_nothing_is_known() -> None:
    facts = HealthFacts(findings=(finding("risk", "critical", ok=False),), alive=False, looked_at=START)
    assert group_light("risk", facts) == ("risk", "quiet")


def test_services_that_are_unwell_stand_first() -> None:
    states = [
        ServiceState(
            service=name, instance="a", role=None, pid=1, state=state, started_at=START + timedelta(seconds=number),
            beat_at=START, rss_bytes=1, restarts=0, problem=None,
        )
        for number, (name, state) in enumerate((("a", "pass"), ("b", "silent"), ("c", "pass"), ("d", "warn")))
    ]  # fmt: skip
    assert [each["service"] for each in service_rows(states)] == ["b", "d", "a", "c"]


def test_silence_is_that_of_services_that_should_beat() -> None:
    def beat(state: str, ago: int) -> ServiceState:
        return ServiceState(
            service="a", instance="a", role=None, pid=1, state=state, started_at=START,
            beat_at=START - timedelta(seconds=ago), rss_bytes=1, restarts=0, problem=None,
        )  # fmt: skip

    assert longest_silence([beat("pass", 3), beat("silent", 40), beat("stopped", 9000)], START) == 40
    assert longest_silence([beat("pass", -2)], START) == 0
    assert longest_silence([], START) is None


def test_the_slowest_stage_is_the_one_furthest_behind_its_bars() -> None:
    def mark(part: str, behind: float | None) -> dict[str, object]:
        return {"part": part, "stage": part.split()[0], "behind_seconds": behind}

    assert slowest_stage([]) == ("\N{EN DASH}", "nothing has come yet", "plain")
    assert slowest_stage([mark("bars 1m", 0.0)]) == ("none", "every stage has done the newest close", "plain")
    marks = [mark("scans dca", 900.0), mark("paper x", None), mark("labels dca", 90_000.0)]
    assert slowest_stage(marks) == ("15 min", "scans dca is behind the bars", "plain")
    assert slowest_stage([*marks, mark("shadow dca", 7200.0)])[2] == "warn"


def test_gaps_are_counted_by_state() -> None:
    states = [{"state": "open", "gaps": 2, "minutes": 90}]
    assert totals(states, "open") == (2, 90)
    assert totals(states, "healed") == (0, 0)


@pytest.mark.parametrize(("place", "ahead", "where"), [
    ("ohlc_archive", False, "archive"), ("ohlc_data", True, "ahead"), ("ohlc_data", False, "live"),
])
def test_a_month_says_where_it_lies(place: str, ahead: bool, where: str) -> None:
    assert month_row({"place": place, "is_ahead": ahead, "clustered": True})["where"] == where


def test_a_task_that_runs_has_not_failed() -> None:
    assert [task_state(each) for each in (None, True, False)] == ["running", "ok", "fail"]

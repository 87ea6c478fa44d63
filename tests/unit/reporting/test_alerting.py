"""A fact is told once it lasts, once, and its end; what comes back soon joins its thread."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracker.runtime.reporting.rules import AlertRules
from tracker.store.alerts import Alert

from services.slack_reporter.alerting import Plan, plan
from services.slack_reporter.facts import Fact

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
RULES = AlertRules.model_validate({
    "look_seconds": 5, "bad_seconds": {"critical": 20, "warning": 120}, "good_seconds": 60, "cool_down_minutes": 30,
    "remind_hours": 6, "storm_alerts": 3, "storm_seconds": 60, "monitor_limit_seconds": 90, "quiet": ["model age *"],
})  # fmt: skip


def fact(name: str = "a", *, ok: bool = False, severity: str = "critical", **more: Any) -> Fact:
    return Fact(name=name, group="g", severity=severity, observed="o", limit="l", advice="d", ok=ok, **more)


class Book:
    """Keeps what plans say, as the tables do."""

    def __init__(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self.told: list[tuple[float, str]] = []
        self._root = 0

    def look(self, seconds: float, *facts: Fact, watched: bool = True) -> Plan:
        now = NOON + timedelta(seconds=seconds)
        found = plan(facts, list(self.alerts.values()), RULES, now, watched=watched)
        self.alerts |= found.written
        for name in found.removed:
            del self.alerts[name]
        for names, gathered in found.roots:
            self._root += 1
            for name in names:
                self.alerts[name] = replace(self.alerts[name], root_id=self._root, gathered=gathered)
            self.told.append((seconds, "+".join(names)))
        for name, root in found.joined.items():
            self.alerts[name] = replace(self.alerts[name], root_id=root, gathered=True)
            self.told.append((seconds, f"joined {name}"))
        self.told += [(seconds, f"{why} {name}") for name, why in found.replies]
        self.told += [(seconds, f"over {name}") for name in found.recovered]
        return found

    def run(self, begin: int, end: int, *facts: Fact, step: int = 5) -> None:
        for seconds in range(begin, end, step):
            self.look(seconds, *facts)


@pytest.mark.parametrize(("severity", "seconds"), [("critical", 20), ("warning", 120)])
def test_a_fact_is_told_once_it_lasts(severity: str, seconds: int) -> None:
    book = Book()
    book.run(0, 600, fact(severity=severity))
    assert book.told == [(seconds, "a")]


def test_what_the_monitor_saw_earlier_counts() -> None:
    book = Book()
    book.look(0, fact(since=NOON - timedelta(hours=1)))
    assert book.told == [(0, "a")]
    assert book.alerts["a"].bad_since == NOON - timedelta(hours=1)


def test_what_is_soon_over_is_never_told() -> None:
    book = Book()
    book.run(0, 20, fact())
    book.run(20, 600, fact(ok=True))
    assert book.told == []
    assert book.alerts == {}


def test_it_is_over_once_that_lasts() -> None:
    book = Book()
    book.run(0, 100, fact())
    book.run(100, 130, fact(ok=True))
    book.run(130, 150, fact())
    book.run(150, 600, fact(ok=True))
    assert book.told == [(20, "a"), (210, "over a")]
    alert = book.alerts["a"]
    assert (alert.state, alert.recovered_at, alert.episodes, alert.repeats) == (
        "recovered", NOON + timedelta(seconds=150), 1, 0)  # fmt: skip


def test_what_flaps_stays_in_its_thread() -> None:
    book = Book()
    for hour in range(10):
        book.run(hour * 240, hour * 240 + 120, fact())
        book.run(hour * 240 + 120, hour * 240 + 240, fact(ok=True))
    names = [name for _, name in book.told]
    assert names.count("a") == 1
    assert names.count("again a") == 9
    assert names.count("over a") == 10


def test_after_the_cool_down_it_is_told_anew() -> None:
    book = Book()
    book.run(0, 60, fact())
    book.run(60, 2_400, fact(ok=True), step=60)
    book.run(2_400, 2_460, fact())
    assert [name for _, name in book.told] == ["a", "over a", "a"]
    assert book.alerts["a"].episodes == 2


def test_what_stays_bad_is_told_again_in_its_thread() -> None:
    book = Book()
    book.run(0, 13 * 3_600, fact(), step=60)
    assert book.told == [(60, "a"), (60 + 6 * 3_600, "still a"), (60 + 12 * 3_600, "still a")]


def test_a_warning_that_turns_critical_is_told_anew() -> None:
    book = Book()
    book.run(0, 200, fact(severity="warning"))
    found = book.look(200, fact(severity="critical"))
    assert book.told == [(120, "a"), (200, "a")]
    assert list(found.superseded) == [1]
    book.run(205, 300, fact(severity="warning"))
    assert len(book.told) == 2


def test_many_at_once_are_one_message() -> None:
    book = Book()
    names = [f"f{number}" for number in range(7)]
    book.run(0, 30, *map(fact, names))
    assert book.told == [(20, "+".join(names))]
    book.run(30, 60, *map(fact, [*names, "late"]))
    assert book.told[1:] == [(50, "joined late")]
    assert book.alerts["late"].root_id == book.alerts["f0"].root_id
    book.run(60, 600, *map(fact, [*names, "late", "much later"]))
    assert book.told[2:] == [(80, "much later")]


def test_those_that_trickle_in_are_gathered_from_the_limit_on() -> None:
    book = Book()
    for number in range(8):
        book.look(number * 6, *(fact(f"f{each}", at_once=True) for each in range(number + 1)))
    assert [name for _, name in book.told] == [
        "f0", "f1", "f2", "f3", "joined f4", "joined f5", "joined f6", "joined f7"]  # fmt: skip


def test_what_is_not_looked_at_any_more_is_over_only_while_somebody_looks() -> None:
    book = Book()
    book.run(0, 60, fact())
    for seconds in range(60, 600, 5):
        book.look(seconds, watched=False)
    assert book.told == [(20, "a")]
    book.run(600, 700)
    assert book.told[1:] == [(660, "over a")]


def test_information_and_what_is_quiet_is_never_told() -> None:
    book = Book()
    book.run(0, 600, fact(severity="info"), fact("model age dca"))
    assert book.told == []


def test_a_fact_that_is_made_quiet_is_over() -> None:
    alert = Alert(
        fingerprint="model age dca", name="model age dca", group="g", severity="warning", state="open", observed="",
        limit="", advice="", bad_since=NOON, first_at=NOON, last_at=NOON, told_at=NOON, episodes=1, root_id=9,
    )  # fmt: skip
    book = Book()
    book.alerts["model age dca"] = alert
    book.run(0, 70, fact("model age dca"))
    assert book.told == [(60, "over model age dca")]


@given(st.lists(st.tuples(st.integers(1, 400), st.booleans(), st.sampled_from(["warning", "critical"])), max_size=60))
def test_root_and_recovery_alternate_whatever_comes(spans: list[tuple[int, bool, str]]) -> None:
    book, clock = Book(), 0
    for seconds, ok, severity in spans:
        clock += seconds
        book.look(clock, fact(ok=ok, severity=severity))
    open_now = False
    for _, name in book.told:
        if name == "a":
            # Anew while it is open only where it became critical.
            open_now = True
        elif name == "again a":
            assert not open_now
            open_now = True
        elif name == "over a":
            assert open_now
            open_now = False
    alert = book.alerts.get("a")
    assert open_now == (alert is not None and alert.state in ("open", "recovering"))
    # Telling it anew takes the cool-down, or that it became worse.
    roots = [at for at, name in book.told if name == "a"]
    worse = sum(one[2] == "critical" for one in spans)
    assert len(roots) <= 1 + worse + clock / (RULES.cool_down_minutes * 60)

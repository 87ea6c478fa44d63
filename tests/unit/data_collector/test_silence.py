"""One silent subscription among others is doubted; a feed that is quiet as a whole is not."""

from __future__ import annotations

from datetime import timedelta

from tracker.testing.builders import START

from services.data_collector.feeds.silence import SilenceWatch

NAMES = ("A", "B", "C")


def watch(**minutes: float) -> SilenceWatch:
    """Return a watch of 15 minutes that heard of each name until that minute."""
    made = SilenceWatch(timedelta(minutes=15))
    for name in minutes:
        made.heard(name, START)
    for name, minute in minutes.items():
        made.heard(name, START + timedelta(minutes=minute))
    return made


def test_who_falls_silent_while_two_others_speak_is_doubted_once() -> None:
    known = watch(A=16, B=16, C=0)
    assert known.take_silent(NAMES) == ["C"]
    assert known.take_silent(NAMES) == []
    for name in ("A", "B"):
        known.heard(name, START + timedelta(minutes=40))
    assert known.take_silent(NAMES) == ["C"], "and again after another such silence"


def test_who_was_never_heard_counts_from_the_beginning() -> None:
    assert watch(A=15, B=15).take_silent(NAMES) == []
    assert watch(A=15.1, B=15.1).take_silent(NAMES) == ["C"]


def test_a_feed_that_is_quiet_as_a_whole_has_lost_nothing() -> None:
    assert watch().take_silent(NAMES) == []
    assert watch(A=0, B=0, C=0).take_silent(NAMES) == []
    assert watch(A=99).take_silent(NAMES) == [], "one alone says little"


def test_one_wrong_time_does_not_make_the_others_look_silent() -> None:
    assert watch(A=500_000, B=1, C=2).take_silent(NAMES) == []


def test_a_late_sign_does_not_take_back_a_newer_one() -> None:
    known = watch(A=20, B=20, C=20)
    known.heard("C", START)
    assert known.take_silent(NAMES) == []

"""What the overview makes of what it reads."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tracker.store.pages.overview import FunnelStep
from tracker.store.pages.shell import Account, ServiceState
from tracker.testing.builders import START

from services.dashboard.health_card import bar_light, service_light
from services.dashboard.pages.overview import funnel_rows, won
from services.dashboard.shell import choose_account


def state(name: str, told: str = "pass") -> ServiceState:
    return ServiceState(
        service=name, instance="a", role=None, pid=1, state=told, started_at=START, beat_at=START, rss_bytes=1,
        restarts=0, problem=None,
    )  # fmt: skip


def account(name: str) -> Account:
    figures = dict.fromkeys(Account.__dataclass_fields__)
    return Account(**{**figures, "account": name, "currency": "USD", "opened_at": START})  # type: ignore[arg-type]


@pytest.mark.parametrize(("told", "words", "tone"), [
    ([], "no service has beaten yet", "quiet"), (["pass", "pass"], "2 services well", "good"),
    (["pass", "warn"], "1 of 2 services unwell", "warn"), (["silent", "warn"], "2 of 2 services unwell", "bad"),
    (["stopped"], "1 of 1 services unwell", "warn"), (["fail"], "1 of 1 services unwell", "bad"),
])
def test_the_light_of_the_services_is_that_of_the_worst(told: list[str], words: str, tone: str) -> None:
    assert service_light([state(str(number), each) for number, each in enumerate(told)]) == (words, tone)


@pytest.mark.parametrize(("age", "tone"), [(1, "good"), (149, "good"), (200, "warn"), (700, "bad")])
def test_the_light_of_the_bars_goes_by_when_they_were_told(age: int, tone: str) -> None:
    assert bar_light(START, START + timedelta(seconds=age))[1] == tone
    assert bar_light(None, START)[1] == "quiet"


def test_the_funnel_is_a_row_a_strategy() -> None:
    steps = [
        FunnelStep(strategy=name, place=place, step=step, count=10 - place)
        for name in ("dca", "swing") for place, step in ((1, "scans"), (2, "setups"))
    ]  # fmt: skip
    assert funnel_rows(steps) == [{"strategy": name, "scans": 9, "setups": 8} for name in ("dca", "swing")]


def test_trades_are_told_as_won_and_lost() -> None:
    assert won(2, 5) == "2 won, 3 lost"
    assert won(0, 0) == "none closed yet"


@pytest.mark.parametrize(("wanted", "usual", "chosen"), [
    ("b", "a", "b"), ("", "a", "a"), ("gone", "a", "a"), ("gone", "gone", "a"),
])
def test_a_viewer_sees_the_account_that_was_chosen_or_the_usual_one(wanted: str, usual: str, chosen: str) -> None:
    found = choose_account((account("a"), account("b")), wanted, usual)
    assert found is not None
    assert found.account == chosen
    assert choose_account((), wanted, usual) is None

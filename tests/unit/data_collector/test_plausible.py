"""Bars that cannot be true now, or after the bar before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest
from tracker.domain.bar import Bar
from tracker.domain.errors import FeedAuthError, FeedError
from tracker.store.bars import Rejection
from tracker.testing.builders import START, make_bar
from tracker.testing.clock import FixedClock

from services.data_collector.plausible import Plausibility

LATER = START + timedelta(days=1)


def says(*moments: datetime) -> Callable[[], Awaitable[datetime]]:
    answers = iter(moments)

    async def now() -> datetime:
        return next(answers)

    return now


async def test_a_bar_of_the_vendors_future_is_refused() -> None:
    plausible = Plausibility(says(START + timedelta(minutes=1)), FixedClock(START), "polygon")
    now, future = await plausible.sift([make_bar(0), make_bar(1)])
    assert isinstance(now, Bar)
    assert isinstance(future, Rejection)
    assert (future.symbol, future.ts, future.source) == ("BTC-USD", make_bar(1).ts, "polygon stream")
    assert "future" in future.reason


async def test_the_vendor_is_only_asked_when_a_bar_seems_early() -> None:
    clock = FixedClock(START)
    plausible = Plausibility(says(), clock, "polygon")
    plausible.heard(START)
    clock.advance(60)
    assert await plausible.sift([make_bar(0)]) == [make_bar(0)]


async def test_a_simulated_clock_may_have_moved_on_since() -> None:
    plausible = Plausibility(says(START, LATER), FixedClock(START), "polygon")
    assert isinstance((await plausible.sift([make_bar(5)]))[0], Rejection)
    assert await plausible.sift([make_bar(5)]) == [make_bar(5)]


async def test_where_the_vendor_cannot_be_asked_the_bars_must_wait() -> None:
    async def refuse() -> datetime:
        raise FeedAuthError("no")

    with pytest.raises(FeedError):
        await Plausibility(refuse, FixedClock(START), "polygon").sift([make_bar(0)])


async def test_an_absurd_jump_is_refused_however_often_it_is_shown() -> None:
    plausible = Plausibility(says(LATER), FixedClock(START), "polygon")
    absurd = make_bar(1, close=100_000.0)
    first, *rest = await plausible.sift([make_bar(0), absurd, absurd, make_bar(2)])
    assert isinstance(first, Bar)
    assert [type(item) for item in rest] == [Rejection, Rejection, Bar]


async def test_a_level_that_stays_is_believed_once_rest_says_the_same() -> None:
    plausible = Plausibility(says(LATER), FixedClock(START), "polygon")
    closes = enumerate((100.0, 9_000.0, 9_100.0))
    items = await plausible.sift([make_bar(minute, close=close) for minute, close in closes])
    assert [type(item) for item in items] == [Bar, Rejection, Rejection]
    plausible.believed([make_bar(1, close=9_000.0)])
    assert await plausible.sift([make_bar(3, close=9_050.0)]) == [make_bar(3, close=9_050.0)]


async def test_after_a_long_silence_a_jump_says_nothing() -> None:
    plausible = Plausibility(says(LATER), FixedClock(START), "polygon")
    items = await plausible.sift([make_bar(0), make_bar(90, close=9_000.0)])
    assert [type(item) for item in items] == [Bar, Bar]


async def test_the_first_bar_of_a_process_is_measured_by_what_is_known_already() -> None:
    plausible = Plausibility(says(LATER), FixedClock(START), "polygon")
    plausible.believed([make_bar(0, close=100.0)])
    [jump] = await plausible.sift([make_bar(1, close=100_000.0)])
    assert isinstance(jump, Rejection)
    assert "absurd jump from 100.0" in jump.reason

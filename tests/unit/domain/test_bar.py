"""What makes a bar impossible."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracker.domain.timeframe import Timeframe
from tracker.testing.builders import make_bar


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"open": math.nan}, "open is nan"),
        ({"close": 0.0}, "close is 0.0"),
        ({"low": -1.0}, "low is -1.0"),
        ({"high": math.inf}, "high is inf"),
        ({"volume": -0.5}, "volume is -0.5"),
        ({"volume": math.nan}, "volume is nan"),
        ({"high": 99.5}, "high is 99.5"),
        ({"low": 100.5}, "low is 100.5"),
        ({"ts": datetime(2024, 3, 1, 0, 0, 30, tzinfo=UTC)}, "not the start of a 1m bucket"),
    ],
)
def test_an_impossible_bar_is_named_by_field_and_value(changes: dict[str, object], words: str) -> None:
    assert words in (replace(make_bar(), **changes).defect() or "")


def test_a_possible_bar_has_no_defect() -> None:
    assert make_bar().defect() is None


@given(
    st.sampled_from(list(Timeframe)),
    st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_every_moment_lies_in_the_bucket_it_is_floored_to(timeframe: Timeframe, moment: datetime) -> None:
    bucket = timeframe.floor(moment)
    assert bucket <= moment < timeframe.close_of(bucket)
    assert timeframe.floor(bucket) == bucket
    assert timeframe.floor(timeframe.close_of(bucket) - timedelta(microseconds=1)) == bucket

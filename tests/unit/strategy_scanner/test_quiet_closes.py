"""Which closes a symbol without a bar is still mentioned at."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.strategy_scanner.looks import QUIET_LIMIT, quiet_closes

BAR = 900
WEEK = int(QUIET_LIMIT.total_seconds())


def ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def test_a_symbol_that_never_traded_is_not_mentioned() -> None:
    assert quiet_closes(ints(BAR, 2 * BAR), ints(), ints(), BAR) == []


def test_a_close_with_a_look_is_not_mentioned() -> None:
    assert quiet_closes(ints(BAR, 2 * BAR, 3 * BAR), ints(2 * BAR), ints(0, BAR), BAR) == [BAR, 3 * BAR]


def test_a_bar_counts_for_seven_days_after_its_open() -> None:
    closes = ints(WEEK - BAR, WEEK, WEEK + BAR)
    assert quiet_closes(closes, ints(), ints(0), BAR) == [WEEK - BAR, WEEK]


def test_a_bar_that_opens_at_the_close_is_not_known_then() -> None:
    assert quiet_closes(ints(5 * BAR), ints(), ints(5 * BAR), BAR) == []


@given(opens=st.sets(st.integers(0, 3_000)), ends=st.sets(st.integers(1, 3_000), max_size=5))
def test_batches_do_not_matter(opens: set[int], ends: set[int]) -> None:
    bars = ints(*(BAR * number for number in sorted(opens)))
    closes = ints(*(BAR * number for number in range(1, 3_001)))
    looked = bars + BAR
    whole = quiet_closes(closes, looked, bars, BAR)
    pieces: list[int] = []
    for first, last in zip([0, *sorted(ends)], [*sorted(ends), 3_000], strict=True):
        begin = first * BAR
        # What a run reads: the last bar within a week before it, and its own bars.
        before = bars[(bars >= begin - WEEK) & (bars < begin)][-1:]
        own = bars[(bars >= begin) & (bars < last * BAR)]
        pieces += quiet_closes(closes[first:last], own + BAR, np.concatenate((before, own)), BAR)
    assert pieces == whole

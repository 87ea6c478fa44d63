"""The stretches of time that a file's bars make up."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.control.importing import HOLE_SECONDS, joined, spans_of

opens = st.lists(st.integers(0, 40).map(lambda quarters: quarters * HOLE_SECONDS // 4), max_size=12)


def ascending(moments: list[int]) -> np.ndarray:
    return np.unique(np.array(moments, dtype=np.int64))


def test_a_hole_of_more_than_a_day_ends_a_stretch() -> None:
    moments = [0, HOLE_SECONDS, 2 * HOLE_SECONDS + 60, 2 * HOLE_SECONDS + 120]
    assert spans_of(ascending(moments)) == [(0, HOLE_SECONDS), (2 * HOLE_SECONDS + 60, 2 * HOLE_SECONDS + 120)]
    assert spans_of(ascending([])) == []


@given(st.lists(opens, max_size=4))
def test_batches_in_any_order_make_the_stretches_of_the_whole_file(batches: list[list[int]]) -> None:
    spans: list[tuple[int, int]] = []
    for batch in batches:
        spans = joined([*spans, *spans_of(ascending(batch))])
    assert spans == spans_of(ascending([moment for batch in batches for moment in batch]))

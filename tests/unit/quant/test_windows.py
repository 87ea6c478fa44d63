"""Anchored windows: a bar's features do not depend on the batch they are computed in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quant_builders import M15, walk
from tracker.domain.errors import InputError
from tracker.quant.bars import BarArrays
from tracker.quant.features.matrix import feature_matrix
from tracker.quant.windows import BLOCK_BARS, anchor_seconds, anchored_features

SPAN = BLOCK_BARS * M15
START = 1_900 * SPAN
BARS = walk(3_400, seed=11, start=START)
TS, WHOLE = anchored_features(BARS, M15, START)


def from_anchor(bars: BarArrays, first_ts: int) -> BarArrays:
    return bars.slice(int(np.searchsorted(bars.ts, anchor_seconds(first_ts, M15))), len(bars))


@pytest.mark.parametrize(
    ("ts", "anchor"),
    [
        (10 * SPAN, 9 * SPAN),
        (10 * SPAN + 1, 9 * SPAN),
        (11 * SPAN - 1, 9 * SPAN),
        (11 * SPAN, 10 * SPAN),
        (SPAN - 1, 0),
        (0, 0),
    ],
)
def test_anchor_is_the_start_of_the_block_before(ts: int, anchor: int) -> None:
    assert anchor_seconds(ts, M15) == anchor


@given(first=st.integers(0, len(BARS) - 1), count=st.integers(1, 60))
@settings(max_examples=60, deadline=None)
def test_any_batch_gives_the_same_values(first: int, count: int) -> None:
    first_ts = int(BARS.ts[first])
    batch = from_anchor(BARS.slice(0, min(first + count, len(BARS))), first_ts)
    ts, matrix = anchored_features(batch, M15, first_ts)
    assert ts.tolist() == BARS.ts[first : first + count].tolist()
    assert matrix.tobytes() == WHOLE[first : first + len(ts)].tobytes()


def test_bars_before_the_anchor_change_nothing() -> None:
    first_ts = int(BARS.ts[2_500])
    _, from_all = anchored_features(BARS, M15, first_ts)
    _, from_needed = anchored_features(from_anchor(BARS, first_ts), M15, first_ts)
    assert from_all.tobytes() == from_needed.tobytes()


def test_a_new_symbol_warms_up_from_its_first_bar() -> None:
    young = walk(150, start=START + 300 * M15)
    _, matrix = anchored_features(young, M15, int(young.ts[0]))
    assert matrix.tobytes() == feature_matrix(young).tobytes()


def test_missing_bars_do_not_move_the_anchor() -> None:
    keep = np.ones(len(BARS), dtype=bool)
    keep[700:1_300] = False
    holed = BarArrays(**{name: getattr(BARS, name)[keep] for name in BarArrays.__dataclass_fields__})
    # The window of bar 3000 starts at bar 2000 by the clock, however many bars came before.
    _, matrix = anchored_features(holed, M15, int(BARS.ts[3_000]))
    assert matrix.tobytes() == WHOLE[3_000:].tobytes()


@pytest.mark.parametrize("beyond", [1, 5 * SPAN])
def test_nothing_new_gives_no_rows(beyond: int) -> None:
    ts, matrix = anchored_features(BARS, M15, int(BARS.ts[-1]) + beyond)
    assert ts.size == 0
    assert matrix.shape == (0, WHOLE.shape[1])


def test_a_bar_off_the_grid_is_refused() -> None:
    ts = BARS.ts.copy()
    ts[9] += 60
    with pytest.raises(InputError, match=r"ts\[9\]"):
        anchored_features(replace(BARS, ts=ts), M15, START)

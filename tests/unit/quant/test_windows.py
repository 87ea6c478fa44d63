"""Anchored windows: a bar's features do not depend on the batch they are computed in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from quant_builders import M15, walk
from tracker.domain.errors import InputError
from tracker.quant.bars import BarArrays
from tracker.quant.features.matrix import feature_matrix
from tracker.quant.windows import (
    BLOCK_BARS,
    LEAD_BARS,
    ROWS_TOGETHER,
    all_anchored_features,
    anchor_seconds,
    anchored_features,
)

SPAN = BLOCK_BARS * M15
START = 1_900 * SPAN
LEAD = LEAD_BARS * M15
BARS = walk(8_400, seed=11, start=START)
TS, WHOLE = anchored_features(BARS, M15, START)


def from_anchor(bars: BarArrays, first_ts: int) -> BarArrays:
    return bars.slice(int(np.searchsorted(bars.ts, anchor_seconds(first_ts, M15))), len(bars))


@pytest.mark.parametrize(
    ("ts", "anchor"),
    [
        (10 * SPAN, 10 * SPAN - LEAD),
        (10 * SPAN + 1, 10 * SPAN - LEAD),
        (11 * SPAN - 1, 10 * SPAN - LEAD),
        (11 * SPAN, 11 * SPAN - LEAD),
        (SPAN - 1, 0),
        (0, 0),
    ],
)
def test_anchor_lies_a_lead_before_the_block(ts: int, anchor: int) -> None:
    assert anchor_seconds(ts, M15) == anchor


@given(first=st.integers(0, len(BARS) - 1), count=st.integers(1, 60))
@settings(max_examples=60, deadline=None)
@example(first=1_999, count=1)
@example(first=2_000, count=1)
@example(first=0, count=len(BARS))
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
    keep[300:900] = False
    holed = BarArrays(**{name: getattr(BARS, name)[keep] for name in BarArrays.__dataclass_fields__})
    # The window of bar 3000 starts at bar 1000 by the clock, however many bars came before.
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


def test_symbols_computed_together_have_the_features_of_each_alone() -> None:
    series = {
        1: BARS,
        2: walk(2_300, seed=5, start=START),
        3: walk(1, seed=6, start=START + 2_200 * M15),
        4: walk(400, seed=7, start=START),
        5: walk(90, seed=8, start=START + 2_250 * M15, price=1e-7),
        6: BARS.slice(0, 0),
    }
    assert len(BARS) > ROWS_TOGETHER
    for first in (0, 2_100, 2_299):
        first_ts = START + first * M15
        together = all_anchored_features(series, M15, first_ts)
        assert list(together) == list(series)
        for key, (ts, matrix) in together.items():
            alone_ts, alone = anchored_features(series[key], M15, first_ts)
            assert ts.tolist() == alone_ts.tolist()
            assert matrix.tobytes() == alone.tobytes(), (first, key)


def test_how_an_average_was_seeded_has_faded() -> None:
    whole = feature_matrix(BARS)
    for first in range(BLOCK_BARS, len(BARS), BLOCK_BARS):
        np.testing.assert_allclose(WHOLE[first], whole[first], rtol=2e-5, atol=2e-6)

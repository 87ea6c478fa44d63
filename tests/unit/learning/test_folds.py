"""No training outcome reaches into a test window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracker.domain.errors import InputError
from tracker.quant.learning.folds import Fold, overlapping, purged_k_fold, split_tail, walk_forward

Splitter = Callable[[np.ndarray, np.ndarray, int, int], list[Fold]]
SPLITTERS = [walk_forward, purged_k_fold]


@st.composite
def lives(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Decisions in ascending order, many at the same moment, and exits after them."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 60)), min_size=4, max_size=80))
    pairs.sort()
    decided = np.array([each[0] for each in pairs], dtype=np.int64)
    return decided, decided + np.array([each[1] for each in pairs], dtype=np.int64)


@pytest.mark.parametrize("split", SPLITTERS)
@given(times=lives(), n_folds=st.integers(2, 6), embargo=st.integers(0, 40))
def test_no_training_label_shares_time_with_a_test_label(
    split: Splitter, times: tuple[np.ndarray, np.ndarray], n_folds: int, embargo: int
) -> None:
    decided, exits = times
    for fold in split(decided, exits, n_folds, embargo):
        assert not overlapping(decided, exits, fold).any()
        # And so without the function under test: life by life.
        for row in fold.train.tolist():
            both = (decided[fold.test] < exits[row]) & (exits[fold.test] > decided[row])
            assert not both.any()
            assert row not in set(fold.test.tolist())


@pytest.mark.parametrize("split", SPLITTERS)
@given(times=lives(), n_folds=st.integers(2, 6), embargo=st.integers(1, 40))
def test_the_embargo_is_held(
    split: Splitter, times: tuple[np.ndarray, np.ndarray], n_folds: int, embargo: int
) -> None:
    decided, exits = times
    for fold in split(decided, exits, n_folds, embargo):
        first, last = decided[fold.test].min(), exits[fold.test].max()
        after = fold.train[decided[fold.train] >= first]
        assert (decided[after] > last + embargo).all()
        if split is walk_forward:
            assert not after.size
            assert (exits[fold.train] + embargo <= first).all()


@given(times=lives(), n_folds=st.integers(2, 6), embargo=st.integers(0, 40))
def test_every_row_is_tested_once_at_most_and_all_of_a_moment_together(
    times: tuple[np.ndarray, np.ndarray], n_folds: int, embargo: int
) -> None:
    decided, exits = times
    for split in SPLITTERS:
        folds = split(decided, exits, n_folds, embargo)
        tested = [row for each in folds for row in each.test.tolist()]
        assert len(set(tested)) == len(tested)
        for fold in folds:
            same = np.isin(decided, decided[fold.test])
            assert np.array_equal(np.flatnonzero(same), fold.test)


@given(times=lives())
def test_unpurged_folds_are_found_out(times: tuple[np.ndarray, np.ndarray]) -> None:
    decided, exits = times
    half = decided.size // 2
    fold = Fold(train=np.arange(half), test=np.arange(half, decided.size))
    expected = [
        bool(((decided[fold.test] < exits[row]) & (exits[fold.test] > decided[row])).any()) for row in fold.train
    ]
    assert overlapping(decided, exits, fold).tolist() == expected


@given(times=lives(), share=st.floats(0.1, 0.6), embargo=st.integers(0, 20))
def test_the_tail_is_untouched(times: tuple[np.ndarray, np.ndarray], share: float, embargo: int) -> None:
    decided, exits = times
    try:
        fold = split_tail(decided, exits, share, embargo)
    except InputError:
        return
    assert fold.test[-1] == decided.size - 1
    assert (exits[fold.train] + embargo <= decided[fold.test].min()).all()
    assert not overlapping(decided, exits, fold).any()


@pytest.mark.parametrize("embargo_hours", [1, 6, 30])
def test_the_folds_are_those_of_another_purger(embargo_hours: int) -> None:
    pandas = pytest.importorskip("pandas")
    purgedcv = pytest.importorskip("purgedcv")
    rng = np.random.default_rng(embargo_hours)
    # Dense enough that the lives of a window's rows leave no hole: the other merges lives, not windows.
    decided = np.sort(rng.integers(0, 24 * 40, 3000)) * 3600
    exits = decided + rng.integers(1, 20, 3000) * 3600
    for fold in purged_k_fold(decided, exits, 5, embargo_hours * 3600):
        other = np.setdiff1d(np.arange(decided.size), fold.test)
        predicted, evaluated = (pandas.Series(pandas.to_datetime(each, unit="s")) for each in (decided, exits))
        kept = purgedcv.purge(other, fold.test, predicted, evaluated)
        kept = purgedcv.apply_embargo(kept, fold.test, predicted, evaluated, pandas.Timedelta(hours=embargo_hours))
        assert fold.train.tolist() == sorted(kept.tolist())


@pytest.mark.parametrize(
    ("decided", "exits", "folds", "embargo", "says"),
    [
        ([], [], 2, 0, "cannot be folded"),
        ([1, 2], [2], 2, 0, "cannot be folded"),
        ([2, 1], [3, 3], 2, 0, "does not ascend"),
        ([1, 2], [0, 3], 2, 0, "lies before"),
        ([1, 2], [2, 3], 0, 0, "folds"),
        ([1, 2], [2, 3], 2, -1, "embargo"),
    ],
)
def test_what_cannot_be_folded_is_refused(
    decided: list[int], exits: list[int], folds: int, embargo: int, says: str
) -> None:
    for split in SPLITTERS:
        with pytest.raises(InputError, match=says):
            split(np.array(decided, dtype=np.int64), np.array(exits, dtype=np.int64), folds, embargo)

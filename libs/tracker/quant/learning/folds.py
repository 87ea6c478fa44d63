"""Training and test rows cut by time across all symbols, so that no training outcome reaches into a test window.

Source: Lopez de Prado (2018), Advances in Financial Machine Learning, 7.4: purging and embargo.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracker.domain.errors import InputError
from tracker.quant.bars import Bools, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """Rows to train on and to test on, ascending."""

    train: Ints
    test: Ints


def walk_forward(decided_at: Ints, exit_at: Ints, n_folds: int, embargo: int) -> list[Fold]:
    """Return folds that train on what was known before their test window.

    The span of the decisions is cut into `n_folds` + 1 windows of equal length; each but the first is tested once.
    A row is trained on where its outcome was known `embargo` seconds before the window begins. Windows without rows to
    test or to train on give no fold. Raises InputError where times do not ascend, or there are no folds to make.
    """
    _require(decided_at, exit_at, n_folds, embargo, least=1)
    edges = _edges(decided_at, n_folds + 1)
    found: list[Fold] = []
    for begin, end in zip(edges[1:-1].tolist(), edges[2:].tolist(), strict=True):
        test = np.flatnonzero((decided_at >= begin) & (decided_at < end))
        train = np.flatnonzero((decided_at < begin) & (exit_at + embargo <= begin))
        found.append(Fold(train=train, test=test))
    return [each for each in found if each.train.size and each.test.size]


def purged_k_fold(decided_at: Ints, exit_at: Ints, n_folds: int, embargo: int) -> list[Fold]:
    """Return folds that train on the time before and after their test window.

    A test window reaches from its first decision to the last exit of its rows. Rows whose own life reaches into it are
    purged, and so are decisions until `embargo` seconds after it. Raises InputError as walk_forward.
    """
    _require(decided_at, exit_at, n_folds, embargo, least=2)
    edges = _edges(decided_at, n_folds)
    found: list[Fold] = []
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        test = np.flatnonzero((decided_at >= begin) & (decided_at < end))
        if test.size:
            first, last = int(decided_at[test].min()), int(exit_at[test].max())
            train = np.flatnonzero(((decided_at < first) & (exit_at <= first)) | (decided_at > last + embargo))
            found.append(Fold(train=train, test=test))
    return [each for each in found if each.train.size]


def split_tail(decided_at: Ints, exit_at: Ints, share: float, embargo: int) -> Fold:
    """Return the last share of the time as test rows, and what was known `embargo` seconds before it to train on.

    Raises InputError where the share is not between 0 and 1, or one of the two is empty.
    """
    if not 0 < share < 1:
        raise InputError(f"share is {share}, not between 0 and 1")
    _require(decided_at, exit_at, 1, embargo, least=1)
    first, last = int(decided_at[0]), int(decided_at[-1])
    begin = last - round((last - first) * share)
    fold = Fold(
        train=np.flatnonzero((decided_at < begin) & (exit_at + embargo <= begin)),
        test=np.flatnonzero(decided_at >= begin),
    )
    if not fold.train.size or not fold.test.size:
        raise InputError(f"{decided_at.size} rows leave nothing on one side of the last {share:.0%} of their time")
    return fold


def overlapping(decided_at: Ints, exit_at: Ints, fold: Fold) -> Bools:
    """Return which training rows share time with the life of any test row, (train,): there have to be none.

    Row by row, and not by the window as the folds are made, so that it finds what they overlooked.
    """
    starts, ends = decided_at[fold.test], exit_at[fold.test]
    order = np.argsort(starts, kind="stable")
    # Among test rows that begin before the training row ends, the one that ends last.
    latest = np.maximum.accumulate(ends[order])
    begun = np.searchsorted(starts[order], exit_at[fold.train], side="left")
    reach = np.where(begun > 0, latest[np.maximum(begun - 1, 0)], np.iinfo(np.int64).min)
    lives = reach > decided_at[fold.train]
    return lives | np.isin(fold.train, fold.test)


def _edges(decided_at: Ints, windows: int) -> Ints:
    first, last = int(decided_at[0]), int(decided_at[-1]) + 1
    return np.array([first + (last - first) * each // windows for each in range(windows + 1)], dtype=np.int64)


def _require(decided_at: Ints, exit_at: Ints, n_folds: int, embargo: int, *, least: int) -> None:
    if n_folds < least:
        raise InputError(f"folds: {n_folds} is below {least}")
    if embargo < 0:
        raise InputError(f"embargo is {embargo} seconds, below 0")
    if not decided_at.size or decided_at.size != exit_at.size:
        raise InputError(f"{decided_at.size} decisions and {exit_at.size} exits cannot be folded")
    if (np.diff(decided_at) < 0).any() or (exit_at < decided_at).any():
        raise InputError("decided_at does not ascend, or exit_at lies before it")

"""Combinatorially symmetric cross-validation: does what was best in one half of the time stay good in the other?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tracker.domain.errors import InputError
from tracker.quant.bars import Bools, Floats, Ints
from tracker.quant.series import finite_table_of

# C(24, 12) is 2.7 million splits.
MOST_BLOCKS = 24
# Elements of one (splits, trials) array at a time: small enough for the caches, whatever the table's size.
CHUNK_ELEMENTS = 1 << 18
# Sharpe ratios this close are equal: scaled copies of one trial differ in the last digits only.
TIE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidation:
    """One value a split, float64 (C(S, S/2),), in no particular order.

    `logits`: ln(w / (1 - w)) of w = rank / (N + 1), the best trial's rank out of sample from 1 (worst) to N.
    `in_sample` and `out_of_sample`: its Sharpe ratios per period in the two halves.
    """

    logits: Floats
    in_sample: Floats
    out_of_sample: Floats

    @property
    def probability(self) -> float:
        """Return the probability of backtest overfitting, the share of logits of 0 or less."""
        return float((self.logits <= 0).mean())

    @property
    def loss_probability(self) -> float:
        """Return the share of splits in which the best trial loses money out of sample."""
        return float((self.out_of_sample < 0).mean())


@dataclass(frozen=True, slots=True)
class _Blocks:
    """What the halves are put together from: `sizes` (S,), `sums` and `squares` (S, N), `centre` (N,).

    Sums are of each trial's distance from its own mean, the centre: that keeps the digits where squares are
    subtracted.
    """

    sizes: Floats
    sums: Floats
    squares: Floats
    centre: Floats
    still: tuple[_Still, ...]


@dataclass(frozen=True, slots=True)
class _Still:
    """A trial that does not move, at this value, in these blocks (S,): at least half of them all."""

    trial: int
    value: float
    blocks: Floats


def cross_validate(performance: ArrayLike, n_blocks: int = 16) -> CrossValidation:
    """Return how the best trial of each half of the time ranks in the other half (CSCV).

    Formula: time is cut into S blocks; for each choice of S/2 of them the trial with the best Sharpe ratio there is
    ranked among all N by its Sharpe ratio in the other S/2: logit = ln(w / (1 - w)), w = rank / (N + 1).
    Unit: Sharpe ratios per period (ddof 1); `performance` (T periods, N trials) holds returns a period.
    Edges: block lengths differ by at most one where S does not divide T. Ties share their mean rank, and equally
    good winners the mean of theirs. A trial that does not move in a half has the Sharpe ratio 0 there if it stands at
    0, else plus or minus infinity.
    Source: Bailey, Borwein, Lopez de Prado and Zhu (2017), The Probability of Backtest Overfitting.
    Raises InputError where a value is not finite, a trial is constant, there are fewer than two trials, `n_blocks` is
    odd, below 2 or above 24, or there are fewer periods than blocks (at least 4).
    """
    table = finite_table_of(performance, "performance")
    _require_blocks(table, n_blocks)
    blocks = _blocks_of(table, n_blocks)
    splits = math.comb(n_blocks, n_blocks // 2)
    result = np.empty((3, splits))
    done = 0
    for chosen in _splits(n_blocks, max(1, CHUNK_ELEMENTS // table.shape[1])):
        one, other = _half_sharpes(blocks, chosen), _half_sharpes(blocks, 1.0 - chosen)
        for inside, outside in ((one, other), (other, one)):
            stop = done + chosen.shape[0]
            result[:, done:stop] = _rank_best(inside, outside)
            done = stop
    weight = result[0] / (table.shape[1] + 1)
    return CrossValidation(
        logits=np.log(weight / (1.0 - weight)), in_sample=result[1], out_of_sample=result[2]
    )


def _require_blocks(table: Floats, n_blocks: int) -> None:
    if n_blocks % 2 or not 2 <= n_blocks <= MOST_BLOCKS:
        raise InputError(f"n_blocks is {n_blocks}, not an even number from 2 to {MOST_BLOCKS}")
    periods, trials = table.shape
    if trials < 2:
        raise InputError(f"performance has {trials} columns, below 2: nothing was chosen among trials")
    least = max(n_blocks, 4)
    if periods < least:
        raise InputError(f"performance has {periods} rows, below {least} for n_blocks {n_blocks}")
    constant = np.flatnonzero(table.min(axis=0) == table.max(axis=0))
    if constant.size:
        column = int(constant[0])
        raise InputError(f"performance column {column} is constant at {table[0, column]}: it has no Sharpe ratio")


def _blocks_of(table: Floats, n_blocks: int) -> _Blocks:
    parts = np.array_split(table, n_blocks)
    centre: Floats = table.mean(axis=0)
    distances = [part - centre for part in parts]
    lowest = np.stack([part.min(axis=0) for part in parts])
    highest = np.stack([part.max(axis=0) for part in parts])
    return _Blocks(
        sizes=np.array([part.shape[0] for part in parts], dtype=np.float64),
        sums=np.stack([each.sum(axis=0) for each in distances]),
        squares=np.stack([(each**2).sum(axis=0) for each in distances]),
        centre=centre,
        still=_still_trials(lowest, lowest == highest),
    )


def _still_trials(values: Floats, is_still: Bools) -> tuple[_Still, ...]:
    """Return the trials that may stand still throughout a half; `values` (S, N) are theirs where they do."""
    half = values.shape[0] // 2
    found: list[_Still] = []
    for trial in np.flatnonzero(is_still.sum(axis=0) >= half).tolist():
        column = values[:, trial]
        for value in np.unique(column[is_still[:, trial]]).tolist():
            blocks = is_still[:, trial] & (column == value)
            if blocks.sum() >= half:
                found.append(_Still(trial, value, blocks.astype(np.float64)))
    return tuple(found)


def _splits(n_blocks: int, size: int) -> Iterator[Floats]:
    """Yield up to `size` halves at a time, (splits, S) of 0 and 1: those with the first block, mirrored by the rest."""
    rest = itertools.combinations(range(1, n_blocks), n_blocks // 2 - 1)
    while some := list(itertools.islice(rest, size)):
        chosen = np.zeros((len(some), n_blocks))
        chosen[:, 0] = 1.0
        np.put_along_axis(chosen, np.array(some, dtype=np.int64).reshape(len(some), -1), 1.0, axis=1)
        yield chosen


def _half_sharpes(blocks: _Blocks, chosen: Floats) -> Floats:
    """Return the Sharpe ratio per period of each trial in each half, (splits, N)."""
    count = (chosen @ blocks.sizes)[:, None]
    mean: Floats = (chosen @ blocks.sums) / count
    squares: Floats = chosen @ blocks.squares
    variance = np.maximum(squares - count * mean**2, 0.0) / (count - 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        sharpes: Floats = (mean + blocks.centre) / np.sqrt(variance)
    for still in blocks.still:
        throughout = np.equal(chosen @ still.blocks, chosen.shape[1] // 2)
        sharpes[throughout, still.trial] = 0.0 if still.value == 0 else math.copysign(math.inf, still.value)
    return sharpes


def _rank_best(inside: Floats, outside: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the rank outside of the best inside, and its Sharpe ratios there and here, (splits,) each."""
    rows: Ints = np.arange(inside.shape[0], dtype=np.int64)
    winner = np.argmax(inside, axis=1)
    best = inside[rows, winner]
    theirs = outside[rows, winner]
    below = np.count_nonzero(outside < (theirs - TIE)[:, None], axis=1)
    up_to = np.count_nonzero(outside <= (theirs + TIE)[:, None], axis=1)
    rank = (below + up_to + 1) / 2.0
    tied = inside >= (best - TIE)[:, None]
    for row in np.flatnonzero(np.count_nonzero(tied, axis=1) > 1).tolist():
        rank[row] = _mean_rank(outside[row], outside[row, tied[row]])
        theirs[row] = np.mean(outside[row, tied[row]])
    return rank, best, theirs


def _mean_rank(values: Floats, some: Floats) -> float:
    order = np.sort(values)
    below: Ints = np.searchsorted(order, np.subtract(some, TIE))
    up_to: Ints = np.searchsorted(order, np.add(some, TIE), side="right")
    return float(np.mean(below) + np.mean(up_to) + 1.0) / 2.0

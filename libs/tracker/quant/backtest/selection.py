"""What choosing the best of many tries is worth: walk-forward, overfitting, and how alone the best one stands."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracker.domain.errors import InputError
from tracker.quant.bars import Bools, Floats, Ints
from tracker.quant.metrics import sharpe_ratio, total_return
from tracker.quant.overfitting import probability_of_backtest_overfitting

DAYS_A_YEAR = 365
# Fewer days a block would be noise about noise.
SMALLEST_BLOCK = 4
MOST_BLOCKS = 16
# A best try whose neighbours keep less than this share of its Sharpe ratio stands on a peak, not on a plateau.
PLATEAU_SHARE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One step of a walk-forward: chosen on days [0, begin), then followed over days [begin, end)."""

    begin: int
    end: int
    chosen: int
    chosen_sharpe: float
    sharpe: float
    total_return: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkForward:
    """What a chooser would have earned: the returns (days after the first fold) of what was best up to then."""

    folds: Sequence[Fold]
    returns: Floats
    sharpe: float
    total_return: float


def walk_forward(daily: Floats, folds: int) -> WalkForward:
    """Choose by the Sharpe ratio of all days so far, follow the choice for a fold, choose again.

    `daily` float64 (days, tries): returns a day of each try, run over the whole span. Raises InputError where there
    are too few days.
    """
    days = len(daily)
    if folds < 1 or days < 2 * (folds + 1):
        raise InputError(f"folds: {folds} need at least {2 * (folds + 1)} days, there are {days}")
    edges = np.linspace(0, days, folds + 2).astype(np.int64).tolist()
    found: list[Fold] = []
    parts: list[Floats] = []
    for begin, end in itertools.pairwise(edges[1:]):
        past = sharpes(daily[:begin])
        chosen = int(np.argmax(np.where(np.isnan(past), -np.inf, past)))
        part = daily[begin:end, chosen]
        parts.append(part)
        found.append(
            Fold(
                begin=begin,
                end=end,
                chosen=chosen,
                chosen_sharpe=float(past[chosen]),
                sharpe=sharpe_ratio(part, DAYS_A_YEAR),
                total_return=_growth(part),
            )
        )
    returns = np.concatenate(parts)
    return WalkForward(
        folds=found, returns=returns, sharpe=sharpe_ratio(returns, DAYS_A_YEAR), total_return=_growth(returns)
    )


def sharpes(daily: Floats) -> Floats:
    """Return the Sharpe ratio a year of each column (tries,); NaN where nothing moved."""
    if len(daily) < 2:
        return np.full((daily.shape[1],), np.nan)
    still = is_still(daily)
    yearly = np.full((daily.shape[1],), np.nan)
    moving = daily[:, ~still]
    yearly[~still] = np.mean(moving, axis=0) / np.std(moving, axis=0, ddof=1) * math.sqrt(DAYS_A_YEAR)
    return yearly


def is_still(daily: Floats) -> Bools:
    """Return which columns (tries,) never change: tries that did not trade."""
    lowest: Any = np.min(daily, axis=0)
    return np.max(daily, axis=0) == lowest


def overfitting(daily: Floats) -> float:
    """Return the PBO of the tries that traded at all; NaN for fewer than two, or too few days for two blocks."""
    moved = daily[:, ~is_still(daily)]
    blocks = min(MOST_BLOCKS, len(daily) // SMALLEST_BLOCK // 2 * 2)
    if moved.shape[1] < 2 or blocks < 2:
        return math.nan
    return probability_of_backtest_overfitting(moved, blocks)


def neighbours(points: Sequence[Mapping[str, float]], chosen: int) -> Ints:
    """Return the tries that differ from the chosen one by one step in one parameter of a grid."""
    names = list(points[0])
    levels = {name: sorted({each[name] for each in points}) for name in names}
    places = np.array([[levels[name].index(each[name]) for name in names] for each in points])
    distance = np.abs(places - places[chosen])
    return np.flatnonzero(distance.sum(axis=1) == 1)


def stands_alone(points: Sequence[Mapping[str, float]], values: Floats, chosen: int) -> bool:
    """Return whether a grid's best try falls off to less than half within one step of any parameter, on average."""
    near = neighbours(points, chosen)
    known = values[near][~np.isnan(values[near])]
    return known.size > 0 and values[chosen] > 0 and float(known.mean()) < PLATEAU_SHARE * float(values[chosen])


def _growth(returns: Floats) -> float:
    return total_return(np.concatenate(([1.0], np.cumprod(1.0 + returns))))

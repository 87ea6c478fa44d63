"""How far a number is from what it would be with all of history, when there is less of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from tracker.domain.errors import InputError
from tracker.quant.bars import BarArrays, Bools, Floats
from tracker.quant.verify.subject import Series, Subject

TOLERANCE = 1e-6
LONGER = (250, 300, 400, 500, 600, 800, 1000, 1300, 1600, 2000)
DAYS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64, 96, 128)

# All symbols' bars to the numbers at the latest close of each, in the order of the names.
Latest: TypeAlias = Callable[[Series], Mapping[int, Floats]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """One number's need of history.

    `deviation` is the worst at the declared warm-up, as a share of the larger of the number's size and its median size;
    `needed` is how many bars before the close bring it to 1e-6 and keep it there, None where the longest tried do not.
    Both say nothing (NaN, None) where the number was never known.
    """

    name: str
    declared: int
    deviation: float
    needed: int | None


def warm_ups(
    declared: Mapping[str, int], latest: Latest, series: Series, samples: Sequence[int], seconds: int
) -> list[WarmUp]:
    """Return each number's need of history, over `samples` (closes, Unix seconds) and all symbols."""
    names = list(declared)
    lengths = sorted({*(each + 1 for each in declared.values()), *LONGER})
    shortest = min((_count(bars, min(samples), seconds) for bars in series.values()), default=0)
    if shortest <= lengths[-1]:
        raise InputError(f"{shortest} bars before the first sample, more than {lengths[-1]} are needed")
    whole = _table([latest(_last(series, moment, None, seconds)) for moment in samples])
    known = np.isfinite(whole).any(axis=0)
    median = np.zeros(len(names))
    median[known] = np.nanmedian(np.abs(whole[:, known]), axis=0)
    size = np.maximum(np.abs(whole), median)
    worst: dict[int, Floats] = {}
    for length in lengths:
        part = _table([latest(_last(series, moment, length, seconds)) for moment in samples])
        worst[length] = _deviation(whole, part, size)
    return [
        WarmUp(
            name=name, declared=declared[name], deviation=float(worst[declared[name] + 1][place]),
            needed=_needed([(length, float(worst[length][place])) for length in lengths]),
        )
        for place, name in enumerate(names)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionWarmUp:
    """A strategy's need of history: decisions looked at, and of each number of days how many of them changed.

    `first` is the fewest days with which it decides at all, `needed` those from which on no decision changed; None
    where the longest tried do not.
    """

    strategy: str
    decisions: int
    changed: Mapping[int, int]
    first: int | None
    needed: int | None


def decision_warm_up(
    subject: Subject, warming_up: int, series: Series, samples: Sequence[int], seconds: int
) -> DecisionWarmUp:
    """Compare a strategy's decisions with all of history and with the last days; `warming_up` is that reason's code."""
    decided: dict[int | None, list[tuple[float, float]]] = {}
    for days in (None, *DAYS):
        length = None if days is None else days * 86_400 // seconds
        decided[days] = [
            (float(known.columns["is_signal"][-1]), float(known.columns["reason"][-1]))
            for moment in samples
            for known in subject.compute(_last(series, moment, length, seconds), moment).values()
        ]
    whole = decided[None]
    changed = {days: sum(one != two for one, two in zip(whole, decided[days], strict=True)) for days in DAYS}
    first = next((days for days in DAYS if all(reason != warming_up for _, reason in decided[days])), None)
    return DecisionWarmUp(
        strategy=subject.name, decisions=len(whole), changed=changed, first=first,
        needed=_needed([(days + 1, float(count)) for days, count in changed.items()]),
    )


def _count(bars: BarArrays, moment: int, seconds: int) -> int:
    return int(np.searchsorted(bars.ts, moment - seconds, side="right"))


def _last(series: Series, moment: int, length: int | None, seconds: int) -> Series:
    """Return each symbol's last bars that had closed by a moment, all of them for a length of None."""
    found: dict[int, BarArrays] = {}
    for key, bars in series.items():
        stop = _count(bars, moment, seconds)
        found[key] = bars.slice(0 if length is None else max(stop - length, 0), stop)
    return found


def _table(rows: Sequence[Mapping[int, Floats]]) -> Floats:
    return np.array([values for row in rows for values in row.values()], dtype=np.float64)


def _deviation(whole: Floats, part: Floats, size: Floats) -> Floats:
    both: Bools = np.isfinite(whole) & np.isfinite(part)
    difference = np.where(both, np.abs(whole - part), 0.0)
    share = np.where(difference == 0, 0.0, difference / np.where(size > 0, size, 1e-300))
    # A number that is known with all of history and not with less has no deviation: it says so itself.
    return np.where(both.any(axis=0), share.max(axis=0), np.nan)


def _needed(worst: Sequence[tuple[int, float]]) -> int | None:
    """Return the bars before the close from which on the deviation stays within the tolerance."""
    found: int | None = None
    for length, deviation in reversed(worst):
        if not deviation <= TOLERANCE:
            break
        found = length - 1
    return found

"""Does a number known at a close change with what came after it?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tracker.domain.errors import InputError
from tracker.quant.bars import BarArrays
from tracker.quant.verify.subject import Known, Numbers, Series, Subject

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A number that changed with the future: what it was with all bars, and what it is with another future or none."""

    symbol: int
    decided_at: int
    whole: float
    other: float
    future: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the test of one column came to: how many values were compared that were known, how many changed."""

    subject: str
    column: str
    known: int
    changed: int
    first: Change | None

    @property
    def verdict(self) -> str:
        """Return 'leaks', 'clean', or 'never known' where there was nothing to compare."""
        if self.changed:
            return "leaks"
        return "clean" if self.known else "never known"


def random_cuts(series: Series, count: int, seed: int, seconds: int) -> list[int]:
    """Return closes of bars, ascending, drawn from all but the first tenth of the time that the series cover."""
    opens = np.unique(np.concatenate([bars.ts for bars in series.values()]))
    if opens.size < 20:
        raise InputError(f"{opens.size} bars are too few to test on, 20 are needed")
    later = opens[opens.size // 10 : -1]
    drawn = np.random.default_rng(seed).choice(later, size=min(count, later.size), replace=False)
    return [int(each) + seconds for each in np.sort(drawn)]


def look_ahead(
    subjects: Sequence[Subject],
    series: Series,
    cuts: Sequence[int],
    seconds: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Finding]:
    """Compute each subject with all bars of `seconds`, and at each cut without the bars after it and with others.

    What was known at closes up to a cut must be the same to the last bit. `progress` is told how much is done, 0 to 1.
    """
    findings: list[Finding] = []
    for number, subject in enumerate(subjects):
        end = max(int(bars.ts[-1]) for bars in series.values()) + seconds
        whole = subject.compute(series, end)
        tally = _Tally(subject.name, whole)
        for place, cut in enumerate(cuts):
            for future, other, through in _futures(series, cut, end, seconds, seed):
                tally.compare(subject.compute(other, through), cut, future)
            if progress is not None:
                progress(subject.name, (number + (place + 1) / len(cuts)) / len(subjects))
        findings += tally.findings()
    return findings


def _futures(series: Series, cut: int, end: int, seconds: int, seed: int) -> Iterator[tuple[str, Series, int]]:
    yield "no future", {key: _until(bars, cut, seconds) for key, bars in series.items()}, cut
    generator = np.random.default_rng((seed, cut))
    yield "another future", {key: _perturbed(bars, cut, seconds, generator) for key, bars in series.items()}, end


def _until(bars: BarArrays, cut: int, seconds: int) -> BarArrays:
    return bars.slice(0, int(np.searchsorted(bars.ts, cut - seconds, side="right")))


def _perturbed(bars: BarArrays, cut: int, seconds: int, generator: np.random.Generator) -> BarArrays:
    """Return the bars with another walk, other volumes and holes after the cut."""
    first = int(np.searchsorted(bars.ts, cut - seconds, side="right"))
    later = len(bars) - first
    factor = np.ones(len(bars))
    factor[first:] = np.exp(np.cumsum(generator.normal(0.0, 0.02, later)))
    volume = bars.volume.copy()
    volume[first:] *= generator.uniform(0.0, 5.0, later)
    kept = np.ones(len(bars), dtype=np.bool_)
    kept[first:] = generator.random(later) > 0.05
    prices = {name: (getattr(bars, name) * factor)[kept] for name in ("open", "high", "low", "close")}
    return replace(bars, ts=bars.ts[kept], volume=volume[kept], **prices)


class _Tally:
    """Counts of one subject's columns."""

    def __init__(self, subject: str, whole: Mapping[int, Known]) -> None:
        self._subject = subject
        self._whole = whole
        columns = next(iter(whole.values())).columns
        self._known = dict.fromkeys(columns, 0)
        self._changed = dict.fromkeys(columns, 0)
        self._first: dict[str, Change] = {}

    def compare(self, other: Mapping[int, Known], cut: int, future: str) -> None:
        for symbol, every in self._whole.items():
            whole = every.before(cut)
            if len(whole.decided_at) == 0:
                continue
            then = other[symbol].before(cut) if symbol in other else None
            for name, values in whole.columns.items():
                self._known[name] += int(np.isfinite(values.astype(np.float64)).sum())
                rows = _differing(whole, then, name)
                if rows.size:
                    self._note(name, symbol, whole, then, int(rows[0]), int(rows.size), future)

    def _note(
        self, name: str, symbol: int, whole: Known, other: Known | None, row: int, count: int, future: str
    ) -> None:
        self._changed[name] += count
        found = np.nan if other is None or row >= len(other.decided_at) else float(other.columns[name][row])
        self._first.setdefault(
            name,
            Change(
                symbol=symbol, decided_at=int(whole.decided_at[row]), whole=float(whole.columns[name][row]),
                other=found, future=future,
            ),
        )

    def findings(self) -> list[Finding]:
        return [
            Finding(
                subject=self._subject, column=name, known=known, changed=self._changed[name],
                first=self._first.get(name),
            )
            for name, known in self._known.items()
        ]


def _differing(whole: Known, other: Known | None, name: str) -> Numbers:
    """Return the rows in which a column differs in any bit; all of them where the closes themselves differ."""
    if other is None or not np.array_equal(whole.decided_at, other.decided_at):
        return np.arange(len(whole.decided_at))
    one, two = (np.ascontiguousarray(each.columns[name]) for each in (whole, other))
    width = one.dtype.itemsize
    bits = (one.view(np.uint8).reshape(-1, width) != two.view(np.uint8).reshape(-1, width)).any(axis=1)
    return np.flatnonzero(bits)

"""How far features have moved from what a model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tracker.quant.bars import Floats, Ints, Singles

BINS = 10
# Places at which a distribution is kept: between two of them lies at most a fiftieth of the rows.
STEPS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One feature's values in a table, as it is kept with a model that learnt from them.

    `edges` ascend and cut the known values into `counts`, tenths where no value stands for more, whose last one is the
    rows that are not known. Of each of the values `at`, which ascend, `below` counts the rows that lie below it,
    `through` those that do not lie above it.
    """

    feature: str
    edges: Sequence[float]
    counts: Sequence[int]
    at: Sequence[float]
    below: Sequence[int]
    through: Sequence[int]

    @property
    def rows(self) -> int:
        """How many rows the table had."""
        return sum(self.counts)

    @property
    def known(self) -> int:
        """How many of them had a value."""
        return self.rows - self.counts[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDrift:
    """One feature then and now: population stability index, and the largest distance of the two distributions."""

    feature: str
    psi: float
    ks: float


def distributions_of(names: Sequence[str], table: Singles) -> list[Distribution]:
    """Return how each feature of a table (n, F) is distributed; none of a table without rows."""
    if not len(table):
        return []
    return [_distribution(name, table[:, place]) for place, name in enumerate(names)]


def drift_from(learnt: Sequence[Distribution], names: Sequence[str], now: Singles) -> list[FeatureDrift]:
    """Return the drift of each feature of a table (m, F) that a distribution is known of, the most moved first.

    Formula: PSI = sum (q - p) ln(q / p) over tenths of the learnt rows and one bin for what is not known, half a row
    added to each; KS = max |F(x) - G(x)| over the values kept, which finds all but a fiftieth of it. Edges: KS is 0
    where one side knows none; without rows there is none.
    Source: Siddiqi (2006), Credit Risk Scorecards; Smirnov (1948).
    """
    if not len(now):
        return []
    columns: Mapping[str, int] = {name: place for place, name in enumerate(names)}
    found = [
        FeatureDrift(
            feature=each.feature,
            psi=_psi(each, now[:, columns[each.feature]]),
            ks=_ks(each, now[:, columns[each.feature]]),
        )
        for each in learnt
        if each.feature in columns
    ]
    return sorted(found, key=lambda each: (-each.psi, each.feature))


def drift_of(names: Sequence[str], before: Singles, now: Singles) -> list[FeatureDrift]:
    """Return the drift of each feature between two tables (n, F) and (m, F), as drift_from; none without rows."""
    return drift_from(distributions_of(names, before), names, now)


def _distribution(name: str, values: Singles) -> Distribution:
    known = np.sort(values[np.isfinite(values)])
    edges: Singles = np.empty(0, dtype=np.float32)
    at: Singles = edges
    if known.size:
        edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]).astype(np.float32))
        at = np.unique(known[np.linspace(0, known.size - 1, STEPS + 1).round().astype(np.int64)])
    return Distribution(
        feature=name,
        edges=edges.tolist(),
        counts=_counts(values, edges).tolist(),
        at=at.tolist(),
        below=np.searchsorted(known, at, side="left").tolist(),
        through=np.searchsorted(known, at, side="right").tolist(),
    )


def _psi(learnt: Distribution, now: Singles) -> float:
    p = np.array(learnt.counts, dtype=np.float64) + 0.5
    q = _counts(now, np.array(learnt.edges, dtype=np.float32)).astype(np.float64) + 0.5
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())


def _counts(values: Singles, edges: Singles) -> Ints:
    """Return the rows of each bin, the last one being what is not known."""
    known = values[np.isfinite(values)]
    counts = np.bincount(np.searchsorted(edges, known, side="right"), minlength=len(edges) + 1)
    return np.append(counts, values.size - known.size).astype(np.int64)


def _ks(learnt: Distribution, now: Singles) -> float:
    """Return the largest distance at the values kept, and just below each: there a step of either may be."""
    other = np.sort(now[np.isfinite(now)])
    if not learnt.known or not other.size:
        return 0.0
    at = np.array(learnt.at, dtype=np.float32)
    below: Floats = np.array(learnt.below) / learnt.known - np.searchsorted(other, at, side="left") / other.size
    through: Floats = np.array(learnt.through) / learnt.known - np.searchsorted(other, at, side="right") / other.size
    return float(max(np.abs(below).max(), np.abs(through).max()))

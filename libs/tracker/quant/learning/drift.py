"""How far features have moved from what a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tracker.quant.bars import Floats, Singles

BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDrift:
    """One feature then and now: population stability index, and the largest distance of the two distributions."""

    feature: str
    psi: float
    ks: float


def drift_of(names: Sequence[str], before: Singles, now: Singles) -> list[FeatureDrift]:
    """Return the drift of each feature between two tables (n, F) and (m, F), the most moved first.

    Formula: PSI = sum (q - p) ln(q / p) over tenths of the first table and one bin for what is not known, half a row
    added to each; KS = max |F(x) - G(x)| over all known values. Edges: KS is 0 where one side knows none; without rows
    on either side there is none.
    Source: Siddiqi (2006), Credit Risk Scorecards; Smirnov (1948).
    """
    if not len(before) or not len(now):
        return []
    found = [
        FeatureDrift(feature=name, psi=_psi(before[:, place], now[:, place]), ks=_ks(before[:, place], now[:, place]))
        for place, name in enumerate(names)
    ]
    return sorted(found, key=lambda each: (-each.psi, each.feature))


def _psi(before: Singles, now: Singles) -> float:
    known = before[np.isfinite(before)]
    edges: Floats = np.empty(0)
    if known.size:
        edges = np.unique(np.quantile(known.astype(np.float64), np.linspace(0, 1, BINS + 1)[1:-1]))
    p, q = _shares(before, edges), _shares(now, edges)
    return float(((q - p) * np.log(q / p)).sum())


def _shares(values: Singles, edges: Floats) -> Floats:
    """Return the share of each bin, the last one being what is not known."""
    known = values[np.isfinite(values)]
    counts = np.bincount(np.searchsorted(edges, known, side="right"), minlength=len(edges) + 1).astype(np.float64)
    counts = np.append(counts, values.size - known.size) + 0.5
    return counts / counts.sum()


def _ks(before: Singles, now: Singles) -> float:
    one, other = np.sort(before[np.isfinite(before)]), np.sort(now[np.isfinite(now)])
    if not one.size or not other.size:
        return 0.0
    at = np.concatenate((one, other))
    first = np.searchsorted(one, at, side="right") / one.size
    second = np.searchsorted(other, at, side="right") / other.size
    return float(np.abs(first - second).max())

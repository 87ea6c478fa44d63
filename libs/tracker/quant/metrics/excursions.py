"""How far prices went against trades and with them while they were held; long trades."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tracker.quant.bars import Floats
from tracker.quant.series import require_above_zero, require_not_negative, require_same_length, series_of

__all__ = ["ExcursionSummary", "adverse_excursions", "excursion_summary", "favourable_excursions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcursionSummary:
    """Fractions of the entry price; NaN where there are no such trades.

    `mae_winners` is the median of the trades that made money, the room that a stop has to leave; `mfe_losers` that
    of the trades that lost, what a nearer target could have taken. `edge_ratio` is mean MFE over mean MAE.
    """

    mae_mean: float
    mae_median: float
    mae_90th: float
    mae_winners: float
    mfe_mean: float
    mfe_median: float
    mfe_90th: float
    mfe_losers: float
    edge_ratio: float


def adverse_excursions(entries: ArrayLike, lowests: ArrayLike) -> Floats:
    """Return each trade's MAE, the largest fall below its average entry while it was held.

    Formula: max(entry - lowest, 0) / entry.
    Unit: fraction of the entry price.
    Edges: empty without trades.
    Source: Sweeney (1996), Maximum Adverse Excursion.
    Raises InputError where a price is not finite, an entry is not above 0, or the lengths differ.
    """
    entry, lowest = _prices(entries, lowests, "lowests")
    return np.maximum(entry - lowest, 0.0) / entry


def favourable_excursions(entries: ArrayLike, highests: ArrayLike) -> Floats:
    """Return each trade's MFE, the largest rise above its average entry while it was held.

    Formula: max(highest - entry, 0) / entry.
    Unit: fraction of the entry price.
    Edges: empty without trades.
    Source: Sweeney (1996), Maximum Adverse Excursion.
    Raises InputError where a price is not finite, an entry is not above 0, or the lengths differ.
    """
    entry, highest = _prices(entries, highests, "highests")
    return np.maximum(highest - entry, 0.0) / entry


def excursion_summary(mae: ArrayLike, mfe: ArrayLike, pnls: ArrayLike) -> ExcursionSummary:
    """Return mean, median and 90th percentile of MAE and MFE, and their medians by outcome.

    Formula: percentiles interpolate linearly; edge ratio = mean(MFE) / mean(MAE).
    Unit: fractions of the entry price, the edge ratio a ratio.
    Edges: NaN where there are no trades to look at; the edge ratio is infinity where no trade went against us.
    Raises InputError where a value is not finite, an excursion is below 0, or the lengths differ.
    """
    against, along, made = series_of(mae, "mae"), series_of(mfe, "mfe"), series_of(pnls, "pnls")
    require_same_length(against, "mae", made, "pnls")
    require_same_length(along, "mfe", made, "pnls")
    require_not_negative(against, "mae")
    require_not_negative(along, "mfe")
    mae_mean, mfe_mean = _mean(against), _mean(along)
    return ExcursionSummary(
        mae_mean=mae_mean,
        mae_median=_percentile(against, 50),
        mae_90th=_percentile(against, 90),
        mae_winners=_percentile(against[made > 0], 50),
        mfe_mean=mfe_mean,
        mfe_median=_percentile(along, 50),
        mfe_90th=_percentile(along, 90),
        mfe_losers=_percentile(along[made < 0], 50),
        edge_ratio=_edge_ratio(mae_mean, mfe_mean),
    )


def _prices(entries: ArrayLike, extremes: ArrayLike, name: str) -> tuple[Floats, Floats]:
    entry, extreme = series_of(entries, "entries"), series_of(extremes, name)
    require_same_length(entry, "entries", extreme, name)
    require_above_zero(entry, "entries")
    return entry, extreme


def _mean(values: Floats) -> float:
    return float(values.mean()) if values.size else math.nan


def _percentile(values: Floats, percent: float) -> float:
    return float(np.percentile(values, percent)) if values.size else math.nan


def _edge_ratio(mae_mean: float, mfe_mean: float) -> float:
    if mae_mean == 0:
        return math.inf if mfe_mean > 0 else math.nan
    return mfe_mean / mae_mean

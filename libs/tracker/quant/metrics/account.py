"""How an account was used, month by month, and what the same money would have made untouched."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from tracker.domain.errors import InputError
from tracker.quant.bars import Floats, Ints
from tracker.quant.metrics.returns import DAYS_A_YEAR, period_returns
from tracker.quant.series import (
    require_above_zero,
    require_finite,
    require_not_negative,
    require_positive,
    require_same_length,
    series_of,
    table_of,
)

__all__ = ["MonthReturn", "buy_and_hold", "exposure", "monthly_returns", "time_in_market", "turnover"]


@dataclass(frozen=True, slots=True)
class MonthReturn:
    """A calendar month in UTC and its return as a fraction."""

    year: int
    month: int
    value: float


def turnover(fill_values: ArrayLike, equity: ArrayLike, days: float) -> float:
    """Return how often a year the account was bought and sold.

    Formula: sum(|value of a fill|) / 2 / mean(equity) * 365 / days, buys and sells alike; a buy and its sell are one
    turn.
    Unit: times a year of 365 days.
    Edges: NaN without equity, 0 without fills.
    Raises InputError where a value is not finite, an equity or `days` is not above 0.
    """
    values, money = series_of(fill_values, "fill_values"), series_of(equity, "equity")
    require_positive(days=days)
    require_above_zero(money, "equity")
    if money.size == 0:
        return math.nan
    return float(np.abs(values).sum() / 2.0 / money.mean()) * DAYS_A_YEAR / days


def exposure(position_values: ArrayLike, equity: ArrayLike) -> float:
    """Return the share of equity that was in the market, averaged over the bars.

    Formula: mean(value of the positions / equity).
    Unit: fraction of the equity.
    Edges: NaN without bars.
    Raises InputError where a value is not finite, a position is below 0, an equity not above 0, or lengths differ.
    """
    positions, money = series_of(position_values, "position_values"), series_of(equity, "equity")
    require_same_length(positions, "position_values", money, "equity")
    require_not_negative(positions, "position_values")
    require_above_zero(money, "equity")
    return float(np.mean(positions / money)) if money.size else math.nan


def time_in_market(position_values: ArrayLike) -> float:
    """Return the share of bars in which anything was held.

    Formula: count(value of the positions > 0) / n.
    Unit: fraction of the bars.
    Edges: NaN without bars.
    Raises InputError where a value is not finite or below 0.
    """
    positions = series_of(position_values, "position_values")
    require_not_negative(positions, "position_values")
    return float((positions > 0).mean()) if positions.size else math.nan


def monthly_returns(ts: Ints, equity: ArrayLike) -> tuple[MonthReturn, ...]:
    """Return the return of each calendar month in UTC that has a value, oldest first.

    Formula: last equity of the month / last equity before it - 1. `ts` is the Unix second at which an equity was
    counted: a bar's CLOSE, so that midnight of the 1st belongs to the month it ends. The first equity is what the
    first month starts from; the product of (1 + return) is that of the whole span.
    Unit: fraction a month.
    Edges: empty for fewer than two values; 0 after ruin, as in period_returns.
    Raises InputError where a value is not finite, `ts` does not ascend, or the lengths differ.
    """
    series = series_of(equity, "equity")
    if ts.shape != series.shape:
        raise InputError(f"ts has {ts.size} values where equity has {series.size}")
    descents = np.flatnonzero(np.diff(ts) <= 0)
    if descents.size:
        index = int(descents[0]) + 1
        raise InputError(f"ts does not ascend at index {index}: {ts[index - 1]}, {ts[index]}")
    if series.size < 2:
        return ()
    months = (ts[1:] - 1).astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
    lasts = np.flatnonzero(np.append(np.diff(months) > 0, True))
    values = period_returns(np.append(series[:1], series[1:][lasts]))
    return tuple(
        MonthReturn(1970 + month // 12, month % 12 + 1, value)
        for month, value in zip(months[lasts].tolist(), values.tolist(), strict=True)
    )


def buy_and_hold(closes: ArrayLike, cash: float, *, fee_rate: float = 0.0) -> Floats:
    """Return the equity of equal parts of the cash, each put into one symbol and left there, (n,).

    Formula: equity[t] = sum over s of cash / S * close[t, s] / (close[first, s] * (1 + fee_rate)); until a symbol's
    first close (NaN before it) its part stays cash.
    Unit: quote currency; `closes` (n bars, S symbols), `fee_rate` a fraction of what is bought.
    Edges: empty without bars; a symbol that never has a close leaves its part in cash.
    Raises InputError where there is no symbol, `cash` is not above 0, `fee_rate` is below 0, or a close is not above 0
    or missing after a symbol's first.
    """
    table = table_of(closes, "closes")
    require_positive(cash=cash)
    require_finite(fee_rate=fee_rate)
    bars, symbols = table.shape
    if symbols == 0 or fee_rate < 0:
        raise InputError("closes has no symbols" if symbols == 0 else f"fee_rate is {fee_rate}, below 0")
    listed = np.logical_or.accumulate(~np.isnan(table), axis=0)
    bad = np.argwhere(listed & ~((table > 0) & np.isfinite(table)))
    if bad.size:
        row, column = bad[0].tolist()
        raise InputError(f"closes[{row}, {column}] is {table[row, column]}, not a price above 0")
    part = cash / symbols
    if bars == 0:
        return np.empty(0)
    first = table[np.argmax(listed, axis=0), np.arange(symbols)]
    units = part / (first * (1.0 + fee_rate))
    worth = np.full(table.shape, part)
    np.multiply(table, units, out=worth, where=listed)
    return worth.sum(axis=1)

"""The outcomes of all variations as of the last hour that all strategies have been tried through."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tracker.quant.portfolio.book import moment_of, seconds_of
from tracker.quant.shadow.outcomes import SPANS, Outcomes, Returns, Span, outcomes
from tracker.quant.shadow.periods import unpacked_periods
from tracker.store.database import Transaction
from tracker.store.shadow import (
    Active,
    ReturnsRow,
    read_active,
    read_cursors,
    read_outcomes_as_of,
    read_returns,
    write_outcomes,
)

HOUR = 3_600
DAY = 86_400
# All of the past is judged by the hour while it is not longer, then by the day.
HOURLY_DAYS = 30


async def judge(transaction: Transaction, strategies: Sequence[str], every_hours: int) -> int:
    """Work the outcomes out anew where they are due; return of how many variations, 0 where they are not due."""
    cursors = await read_cursors(transaction)
    reached = [cursors[name].closed_through for name in strategies if name in cursors]
    if not reached or len(reached) < len(strategies):
        return 0
    seconds = every_hours * HOUR
    as_of = seconds_of(min(reached)) // seconds * seconds
    last = await read_outcomes_as_of(transaction)
    if last is not None and seconds_of(last) >= as_of:
        return 0
    active = await read_active(transaction)
    began = min(seconds_of(row["added_at"]) for row in active.rows)
    if began >= as_of:
        return 0
    hourly = await _returns(transaction, "1h", max(began, as_of - HOURLY_DAYS * DAY), as_of, active)
    daily = None
    if as_of - began > HOURLY_DAYS * DAY:
        daily = await _returns(transaction, "1d", began, as_of, active)
    ids = [row["id"] for row in active.rows]
    for span in SPANS:
        found = outcomes(_within(span, hourly, daily, as_of), span.block, active.ever, seed=as_of)
        await write_outcomes(transaction, ids, span.name, moment_of(as_of), _columns(found))
    return len(ids)


def _within(span: Span, hourly: Returns, daily: Returns | None, as_of: int) -> Returns:
    if span.seconds is None:
        return hourly if daily is None else daily
    return hourly.after(as_of - span.seconds)


async def _returns(transaction: Transaction, period: str, first: int, end: int, active: Active) -> Returns:
    """Return the periods of all variations of all strategies, NaN before each one's account was opened."""
    rows = await read_returns(transaction, period, moment_of(first), moment_of(end))
    seconds = HOUR if period == "1h" else DAY
    ends = np.unique(np.array([seconds_of(each.ends_at) for each in rows], dtype=np.int64))
    shape = len(ends), len(active.rows)
    # As they are stored, since of 30 days by the hour there are millions.
    returns = np.full(shape, np.nan, np.float32)
    trades, sums = np.zeros(shape, np.uint16), np.zeros(shape, np.float32)
    for strategy in dict.fromkeys(row["strategy"] for row in active.rows):
        own = [each for each in rows if each.strategy == strategy]
        if own:
            _place((returns, trades, sums), ends, own, strategy, active)
    return Returns(ends_at=ends, seconds=seconds, returns=returns, trades=trades, trade_returns=sums)


def _place(
    into: tuple[NDArray[Any], ...],
    ends: NDArray[np.int64],
    rows: Sequence[ReturnsRow],
    strategy: str,
    active: Active,
) -> None:
    chosen = [(place, row) for place, row in enumerate(active.rows) if row["strategy"] == strategy]
    numbers = np.array([row["number"] for _, row in chosen], dtype=np.int64)
    added = np.array([seconds_of(row["added_at"]) for _, row in chosen], dtype=np.int64)
    own_ends = np.array([seconds_of(each.ends_at) for each in rows], dtype=np.int64)
    found = unpacked_periods([(each.variations, each.data) for each in rows], numbers)
    # What an earlier account of the same variation did is not this one's.
    found[0][own_ends[:, np.newaxis] <= added] = np.nan
    places = np.ix_(np.searchsorted(ends, own_ends), np.array([place for place, _ in chosen], dtype=np.int64))
    for array, values in zip(into, found, strict=True):
        array[places] = values


def _columns(found: Outcomes) -> list[list[Any]]:
    return [
        [_known(value) for value in getattr(found, each.name).tolist()] for each in fields(Outcomes)
    ]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None

"""Possible bars parted from impossible ones, column by column."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from tracker.domain.bar import Bar, BarSource
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.store.bars import BarTable, Rejection


def split_table(
    table: BarTable, symbol: str, timeframe: Timeframe, origin: str
) -> tuple[BarTable, list[Rejection]]:
    """Part the possible bars from the impossible ones, looking closely at suspects only.

    `origin` says in a rejection where the bar came from.
    """
    fine = possible(table, timeframe)
    if fine.all():
        return table, []
    bad = [bar_at(table, int(index), symbol, timeframe) for index in np.flatnonzero(~fine)]
    defects = [defect_at(table, bar) or "impossible" for bar in bad]
    return rows_of(table, fine), [rejection_of(bar, why, origin) for bar, why in zip(bad, defects, strict=True)]


def defect_at(table: BarTable, bar: Bar) -> str | None:
    """Return why a bar of the table cannot be true, in the words of what was sent; None where it can."""
    defect = bar.defect()
    return None if defect is None else table.unreadable.get(_seconds(bar), defect)


def _seconds(bar: Bar) -> int:
    return (bar.ts - EPOCH) // timedelta(seconds=1)


def possible(table: BarTable, timeframe: Timeframe) -> NDArray[np.bool_]:
    """Tell of each row whether it can be true, as `Bar.defect` does of a bar."""
    prices = np.stack((table.open, table.high, table.low, table.close))
    return (
        np.isfinite(prices).all(axis=0)
        & (prices > 0).all(axis=0)
        & np.isfinite(table.volume)
        & (table.volume >= 0)
        & (table.high >= prices.max(axis=0))
        & (table.low <= prices.min(axis=0))
        & (table.ts % timeframe.seconds == 0)
    )


def rows_of(table: BarTable, rows: NDArray[np.bool_] | NDArray[np.intp]) -> BarTable:
    """Return the rows that a mask or an index array selects."""
    return BarTable(
        ts=table.ts[rows],
        open=table.open[rows],
        high=table.high[rows],
        low=table.low[rows],
        close=table.close[rows],
        volume=table.volume[rows],
        vwap=None if table.vwap is None else table.vwap[rows],
        trades=None if table.trades is None else table.trades[rows],
        unreadable=table.unreadable,
    )


def in_order(table: BarTable) -> BarTable:
    """Return a table sorted by time with each open once: of several rows for one bucket the last counts."""
    if len(table) < 2 or bool((np.diff(table.ts) > 0).all()):
        return table
    order = np.argsort(table.ts, kind="stable")
    sorted_ts = table.ts[order]
    last = np.append(sorted_ts[1:] != sorted_ts[:-1], True)
    return rows_of(table, order[last])


def bar_at(
    table: BarTable, index: int, symbol: str, timeframe: Timeframe, source: BarSource = BarSource.REST
) -> Bar:
    """Return one row as a bar."""
    return Bar(
        symbol=symbol,
        timeframe=timeframe,
        ts=EPOCH + timedelta(seconds=int(table.ts[index])),
        open=float(table.open[index]),
        high=float(table.high[index]),
        low=float(table.low[index]),
        close=float(table.close[index]),
        volume=float(table.volume[index]),
        vwap=math.nan if table.vwap is None else float(table.vwap[index]),
        trades=0 if table.trades is None else int(table.trades[index]),
        source=source,
    )


def rejection_of(bar: Bar, defect: str, origin: str) -> Rejection:
    """Return a bar as a rejection, in the words of its values."""
    frame = f"{bar.ts.isoformat()},{bar.open!r},{bar.high!r},{bar.low!r},{bar.close!r},{bar.volume!r}"
    return Rejection(
        source=origin,
        reason=defect,
        frame=frame,
        symbol=bar.symbol,
        timeframe=bar.timeframe.value,
        ts=bar.ts,
    )

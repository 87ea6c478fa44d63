"""Rows of the vendor's REST answers as bars, the impossible ones as rejections."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta

import numpy as np
from tracker.domain.bar import Bar, BarSource
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.store.bars import BarTable, Rejection

from services.data_collector.buffer import Item


def bars_of(table: BarTable, symbol: str, timeframe: Timeframe) -> Iterable[Item]:
    """Return the table's rows as bars, the impossible ones as rejections."""
    for index in range(len(table)):
        bar = _bar(table, index, symbol, timeframe)
        defect = bar.defect()
        yield bar if defect is None else rejection_of(bar, defect)


def split_table(table: BarTable, symbol: str, timeframe: Timeframe) -> tuple[BarTable, list[Rejection]]:
    """Part the possible bars from the impossible ones, looking closely at suspects only."""
    prices = np.stack((table.open, table.high, table.low, table.close))
    fine = (
        np.isfinite(prices).all(axis=0)
        & (prices > 0).all(axis=0)
        & np.isfinite(table.volume)
        & (table.volume >= 0)
        & (table.high >= prices.max(axis=0))
        & (table.low <= prices.min(axis=0))
        & (table.ts % timeframe.seconds == 0)
    )
    if fine.all():
        return table, []
    bad = [_bar(table, int(index), symbol, timeframe) for index in np.flatnonzero(~fine)]
    kept = BarTable(
        ts=table.ts[fine],
        open=table.open[fine],
        high=table.high[fine],
        low=table.low[fine],
        close=table.close[fine],
        volume=table.volume[fine],
        vwap=None if table.vwap is None else table.vwap[fine],
        trades=None if table.trades is None else table.trades[fine],
    )
    return kept, [rejection_of(bar, bar.defect() or "impossible") for bar in bad]


def _bar(table: BarTable, index: int, symbol: str, timeframe: Timeframe) -> Bar:
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
        source=BarSource.REST,
    )


def rejection_of(bar: Bar, defect: str) -> Rejection:
    """Return a bar as a rejection, in the words of its values."""
    frame = f"{bar.ts.isoformat()},{bar.open!r},{bar.high!r},{bar.low!r},{bar.close!r},{bar.volume!r}"
    return Rejection(
        source=f"polygon {bar.source}",
        reason=defect,
        frame=frame,
        symbol=bar.symbol,
        timeframe=bar.timeframe.value,
        ts=bar.ts,
    )

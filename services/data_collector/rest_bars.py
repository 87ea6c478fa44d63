"""Rows of the vendor's REST answers as bars, the impossible ones as rejections."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.domain.bar import Bar
from tracker.domain.timeframe import Timeframe
from tracker.store import bar_checks
from tracker.store.bars import BarTable, Rejection

from services.data_collector.buffer import Item


def bars_of(table: BarTable, symbol: str, timeframe: Timeframe, vendor: str) -> Iterable[Item]:
    """Return the table's rows as bars, the impossible ones as rejections."""
    for index in range(len(table)):
        bar = bar_checks.bar_at(table, index, symbol, timeframe)
        defect = bar_checks.defect_at(table, bar)
        yield bar if defect is None else rejection_of(bar, defect, vendor)


def rejection_of(bar: Bar, defect: str, vendor: str) -> Rejection:
    """Return a bar as a rejection, in the words of its values."""
    return bar_checks.rejection_of(bar, defect, f"{vendor} {bar.source}")

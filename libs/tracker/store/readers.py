"""Reads of stored bars: the newest, the last so many, a span; wherever their month lies.

Each has a bound in time: a query without one looks into every month.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.store.bar_arrays import PRICES, BarMatrix, LatestBars, by_symbol, columns_of, table_of
from tracker.store.bars import BarTable
from tracker.store.database import Transaction

# How much further back a window is looked for each time that a symbol has too few bars.
WIDENING = 8


async def read_latest(
    transaction: Transaction, timeframe: Timeframe, symbol_ids: Collection[int] | None = None
) -> LatestBars:
    """Return the newest bar of all symbols that have one, or of the given ones among them."""
    chosen = None if symbol_ids is None else list(symbol_ids)
    columns = await _columns(transaction, "readers.latest", timeframe.value, chosen)
    return LatestBars(symbol_ids=columns.pop("symbol_id"), **columns)


async def read_range(
    transaction: Transaction,
    timeframe: Timeframe,
    first: datetime,
    end: datetime,
    symbol_ids: Collection[int] | None = None,
) -> dict[int, BarTable]:
    """Return the bars of all or of the given symbols that open in [first, end), by symbol id.

    A symbol without any is not among them.
    """
    chosen = None if symbol_ids is None else list(symbol_ids)
    return by_symbol(await _columns(transaction, "readers.range_of_many", chosen, timeframe.value, first, end))


async def read_symbol_range(
    transaction: Transaction, symbol_id: int, timeframe: Timeframe, first: datetime, end: datetime
) -> BarTable:
    """Return one symbol's bars that open in [first, end)."""
    return table_of(await _columns(transaction, "readers.range_of_one", symbol_id, timeframe.value, first, end))


async def read_whole_range(
    transaction: Transaction, symbol_id: int, timeframe: Timeframe, first: datetime, end: datetime
) -> BarTable:
    """Return one symbol's bars that open in [first, end), with vwap and trades."""
    return table_of(
        await _columns(transaction, "readers.whole_range_of_one", symbol_id, timeframe.value, first, end)
    )


async def read_window(
    transaction: Transaction,
    timeframe: Timeframe,
    count: int,
    *,
    symbol_ids: Collection[int] | None = None,
    end: datetime | None = None,
    since: datetime | None = None,
) -> BarMatrix:
    """Return the last `count` bars of all symbols that have bars, or of the given ones, whether they have or not.

    They open before `end` (None: whatever is stored) and not before `since` (None: however far back they lie). What
    a symbol misses is looked for ever further back, from where the time of `count` bars ends.
    """
    latest = await read_latest(transaction, timeframe, symbol_ids)
    ids = latest.symbol_ids if symbol_ids is None else np.unique(np.array(list(symbol_ids), dtype=np.int64))
    window = _Window(ids, count)
    if len(latest) == 0:
        return window.matrix()
    step = timeframe.duration
    stop = end if end is not None else _moment(int(latest.ts.max())) + step
    # The open of the first bar that is not wanted; between it and `stop` no bar opens.
    stop = timeframe.floor(stop + step - timedelta(microseconds=1))
    begin = stop - count * step
    columns = await _columns(
        transaction, "readers.range_of_many", ids.tolist(), timeframe.value, max(begin, since or begin), stop
    )
    window.fill(columns, int(begin.timestamp()), timeframe.seconds)
    reach = count * step
    floor = since
    while (short := window.short()).any():
        if floor is None:
            floor = await transaction.fetch_value("readers.oldest_month") or begin
        if begin <= floor:
            break
        reach *= WIDENING
        stop, begin = begin, max(floor, stop - reach) if stop - EPOCH > reach else floor
        columns = await _columns(
            transaction, "readers.newest_of_many", ids[short].tolist(), timeframe.value, begin, stop,
            int(count - window.counts[short].min()),
        )
        window.put_before(columns)
    return window.matrix()


async def read_span(
    transaction: Transaction, symbol_id: int, timeframe: Timeframe, first: datetime, end: datetime
) -> tuple[datetime, datetime] | None:
    """Return the opens of the oldest and newest bar in [first, end), None where there is no bar."""
    row = await transaction.fetch_row("readers.span", symbol_id, timeframe.value, first, end)
    return None if row is None or row["first"] is None else (row["first"], row["last"])


async def read_first_open(
    transaction: Transaction, timeframe: Timeframe, first: datetime, end: datetime
) -> datetime | None:
    """Return the open of the oldest bar in [first, end), over all symbols; None where there is no bar."""
    return await transaction.fetch_value("readers.first_open", timeframe.value, first, end)


async def _columns(transaction: Transaction, name: str, *arguments: object) -> dict[str, NDArray[Any]]:
    row = await transaction.fetch_row(name, *arguments)
    assert row is not None  # noqa: S101 - an aggregate returns one row always
    return columns_of(dict(row.items()))


def _moment(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


class _Window:
    """A matrix of bars in the making, filled from the newest column on."""

    def __init__(self, ids: NDArray[np.int64], count: int) -> None:
        self._ids = ids
        self._ts = np.zeros((len(ids), count), dtype=np.int64)
        self._prices = {name: np.full((len(ids), count), np.nan) for name in PRICES}
        self.counts = np.zeros(len(ids), dtype=np.int64)

    def short(self) -> NDArray[np.bool_]:
        """Tell of each symbol whether bars are missing."""
        return self.counts < self._ts.shape[1]

    def fill(self, columns: dict[str, NDArray[Any]], begin: int, seconds: int) -> None:
        """Put bars into the column of their time, then close the holes."""
        count = self._ts.shape[1]
        rows = np.searchsorted(self._ids, columns["symbol_id"])
        place = rows * count + (columns["ts"] - begin) // seconds
        self.counts += np.bincount(rows, minlength=len(self._ids))
        for name, target in self._all().items():
            target.ravel()[place] = columns[name]
        for row in np.flatnonzero(self.short() & (self.counts > 0)).tolist():
            there = self._ts[row] > 0
            kept = {name: target[row, there] for name, target in self._all().items()}
            self._clear(row)
            for name, target in self._all().items():
                target[row, count - len(kept["ts"]) :] = kept[name]

    def put_before(self, columns: dict[str, NDArray[Any]]) -> None:
        """Put older bars before those that are there."""
        for symbol_id, table in by_symbol(columns).items():
            row = int(np.searchsorted(self._ids, symbol_id))
            free = self._ts.shape[1] - int(self.counts[row])
            taken = min(free, len(table))
            for name, target in self._all().items():
                target[row, free - taken : free] = getattr(table, name)[len(table) - taken :]
            self.counts[row] += taken

    def matrix(self) -> BarMatrix:
        """Return what was found."""
        return BarMatrix(symbol_ids=self._ids, counts=self.counts, ts=self._ts, **self._prices)

    def _all(self) -> dict[str, NDArray[Any]]:
        return {"ts": self._ts, **self._prices}

    def _clear(self, row: int) -> None:
        self._ts[row] = 0
        for target in self._prices.values():
            target[row] = np.nan

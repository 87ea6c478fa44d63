"""What the latest closed bars of longer timeframes say, computed once a bar."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from tracker.domain.timeframe import EPOCH
from tracker.quant.bars import BarArrays
from tracker.quant.feature_rows import ContextTable, context_tables
from tracker.quant.features.catalogue import Context
from tracker.store.database import Transaction

from services.feature_calculator.windows import Windows


@dataclass(slots=True)
class ContextTables:
    """All symbols' features of one longer timeframe, from the oldest bar that a decision may still look at on."""

    context: Context
    windows: Windows = field(init=False)
    tables: dict[int, ContextTable] = field(default_factory=dict[int, ContextTable])
    start: datetime = EPOCH
    end: datetime = EPOCH
    edition: int | None = None

    def __post_init__(self) -> None:
        """Start with empty windows."""
        self.windows = Windows(self.context.timeframe)

    def forget(self) -> None:
        """Read and compute everything again next time."""
        self.windows.forget()
        self.tables, self.edition = {}, None

    async def load(self, transaction: Transaction, first: datetime, end: datetime) -> dict[int, ContextTable]:
        """Return the tables for decisions on bars that open from `first` on and close by `end`."""
        timeframe = self.context.timeframe
        start = timeframe.floor(first - timedelta(seconds=self.context.max_age_seconds) - timeframe.duration)
        # A bar that opens before the bucket in which `end` lies has closed by then.
        closed = timeframe.floor(end)
        bars = await self.windows.load(transaction, start, closed)
        if self.windows.edition != self.edition or start < self.start or start > self.end:
            self.tables, self.end = {}, start
        if closed > self.end:
            self._extend(bars, start)
        self.start, self.end, self.edition = start, closed, self.windows.edition
        return self.tables

    def _extend(self, bars: dict[int, BarArrays], start: datetime) -> None:
        fresh = context_tables(self.context, bars, int(self.end.timestamp()))
        for symbol_id, table in fresh.items():
            known = self.tables.get(symbol_id)
            later = table if known is None else _joined(_from(known, int(start.timestamp())), table)
            self.tables[symbol_id] = later


def _from(table: ContextTable, first: int) -> ContextTable:
    rows = slice(int(np.searchsorted(table.closes, first)), None)
    return ContextTable(closes=table.closes[rows], names=table.names, values=table.values[rows])


def _joined(older: ContextTable, newer: ContextTable) -> ContextTable:
    return ContextTable(
        closes=np.concatenate((older.closes, newer.closes)),
        names=older.names,
        values=np.concatenate((older.values, newer.values)),
    )

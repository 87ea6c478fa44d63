"""The bars of the current windows, kept in memory and read again when closed bars changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.quant.bars import BarArrays
from tracker.quant.windows import anchor_seconds
from tracker.store.bars import BarTable, read_window
from tracker.store.database import Transaction
from tracker.store.features import read_history_state


@dataclass(slots=True)
class Windows:
    """All symbols' bars of one timeframe from the anchor of the oldest wanted bar on."""

    timeframe: Timeframe
    bars: dict[int, BarArrays] = field(default_factory=dict[int, BarArrays])
    start: datetime = EPOCH
    end: datetime = EPOCH
    state: tuple[int, int] | None = None

    def forget(self) -> None:
        """Read everything again next time."""
        self.bars, self.state = {}, None

    async def load(self, transaction: Transaction, first: datetime, end: datetime) -> dict[int, BarArrays]:
        """Return the bars needed to compute the features of those that open in [first, end)."""
        seconds = self.timeframe.seconds
        start = EPOCH + timedelta(seconds=anchor_seconds(int(first.timestamp()), seconds))
        state = await read_history_state(transaction)
        if state != self.state or start < self.start or first > self.end:
            self.bars = {
                symbol: _arrays(table)
                for symbol, table in (await read_window(transaction, self.timeframe, start, end)).items()
            }
        elif end > self.end:
            fresh = await read_window(transaction, self.timeframe, self.end, end)
            for symbol, table in fresh.items():
                known = self.bars.get(symbol)
                self.bars[symbol] = _arrays(table) if known is None else _joined(known, _arrays(table))
        if start > self.start:
            self.bars = {symbol: _from(bars, start) for symbol, bars in self.bars.items()}
        self.start, self.end, self.state = start, end, state
        return self.bars


def _arrays(table: BarTable) -> BarArrays:
    return BarArrays(
        ts=table.ts, open=table.open, high=table.high, low=table.low, close=table.close, volume=table.volume
    )


def _joined(older: BarArrays, newer: BarArrays) -> BarArrays:
    return BarArrays(
        ts=np.concatenate((older.ts, newer.ts)),
        open=np.concatenate((older.open, newer.open)),
        high=np.concatenate((older.high, newer.high)),
        low=np.concatenate((older.low, newer.low)),
        close=np.concatenate((older.close, newer.close)),
        volume=np.concatenate((older.volume, newer.volume)),
    )


def _from(bars: BarArrays, start: datetime) -> BarArrays:
    return bars.slice(int(np.searchsorted(bars.ts, int(start.timestamp()))), len(bars))

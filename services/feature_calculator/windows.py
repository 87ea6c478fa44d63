"""The bars of the current windows, kept in memory and read again where they changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.quant.bars import BarArrays
from tracker.quant.windows import anchor_seconds
from tracker.store.bars import BarTable
from tracker.store.database import Transaction
from tracker.store.readers import read_latest, read_range


@dataclass(slots=True)
class Windows:
    """All symbols' bars of one timeframe from the anchor of the oldest wanted bar on.

    `newest` holds of each symbol the open of its newest bar and how often its bars were rewritten, as they were before
    the bars were read. `edition` moves whenever bars before `end` are not those of the last time.
    """

    timeframe: Timeframe
    bars: dict[int, BarArrays] = field(default_factory=dict[int, BarArrays])
    start: datetime = EPOCH
    end: datetime = EPOCH
    newest: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    edition: int = 0

    def forget(self) -> None:
        """Read everything again next time."""
        self.bars, self.newest = {}, {}

    async def load(self, transaction: Transaction, first: datetime, end: datetime) -> dict[int, BarArrays]:
        """Return the bars needed to compute the features of those that open in [first, end)."""
        start = EPOCH + timedelta(seconds=anchor_seconds(int(first.timestamp()), self.timeframe.seconds))
        latest = await read_latest(transaction, self.timeframe)
        now = dict(
            zip(
                latest.symbol_ids.tolist(),
                zip(latest.ts.tolist(), latest.rewrites.tolist(), strict=True),
                strict=True,
            )
        )
        if not self.newest or start < self.start or first > self.end:
            self.bars = await self._read(transaction, start, end)
            self.edition += 1
        else:
            await self._bring_up_to_date(transaction, now, start, end)
        if start > self.start:
            self.bars = {symbol: _from(bars, start) for symbol, bars in self.bars.items()}
        self.start, self.end, self.newest = start, end, now
        return self.bars

    async def _bring_up_to_date(
        self, transaction: Transaction, now: dict[int, tuple[int, int]], start: datetime, end: datetime
    ) -> None:
        """Add new bars, and read those symbols again whose bars were rewritten."""
        rewritten = [symbol for symbol, (_, rewrites) in now.items() if self._rewrites(symbol) != rewrites]
        added_from = self._added_from(now)
        if end > added_from:
            for symbol, fresh in (await self._read(transaction, added_from, end)).items():
                self._add(symbol, fresh)
        if rewritten:
            found = await self._read(transaction, start, end, rewritten)
            for symbol in rewritten:
                self.bars.pop(symbol, None)
            self.bars |= found
            self.edition += 1

    def _add(self, symbol: int, fresh: BarArrays) -> None:
        """Add those bars that come after the symbol's last one."""
        known = self.bars.get(symbol)
        if known is not None and len(known):
            fresh = fresh.slice(int(np.searchsorted(fresh.ts, known.ts[-1], "right")), len(fresh))
        if len(fresh) and fresh.ts[0] < self.end.timestamp():
            self.edition += 1
        self.bars[symbol] = fresh if known is None else _joined(known, fresh)

    def _rewrites(self, symbol: int) -> int | None:
        return self.newest[symbol][1] if symbol in self.newest else None

    def _added_from(self, now: dict[int, tuple[int, int]]) -> datetime:
        """Return from where on bars may have come that are not there yet.

        That is earlier than the end of the windows where a symbol was silent and its bars came late.
        """
        opens = [
            self.newest[symbol][0] + self.timeframe.seconds
            for symbol, (ts, _) in now.items()
            if symbol in self.newest and self.newest[symbol][0] != ts
        ]
        return min([self.end, *(EPOCH + timedelta(seconds=ts) for ts in opens)])

    async def _read(
        self, transaction: Transaction, first: datetime, end: datetime, symbol_ids: list[int] | None = None
    ) -> dict[int, BarArrays]:
        tables = await read_range(transaction, self.timeframe, first, end, symbol_ids)
        return {symbol: _arrays(table) for symbol, table in tables.items()}


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

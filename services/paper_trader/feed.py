"""What all accounts act on, read once a run: bars, signals and how complete they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from tracker.domain.candle import Candle
from tracker.domain.instrument import Instrument
from tracker.domain.signal import Signal, Strategy
from tracker.domain.timeframe import Timeframe
from tracker.store.bars import Watermark, read_watermarks
from tracker.store.database import Transaction
from tracker.store.paper import ScanWatermark, read_candles, read_scan_watermarks, read_signals
from tracker.store.symbols import read_symbols

from services.paper_trader.bounds import bars_bound, finest_watermark

_Read: TypeAlias = tuple[datetime, datetime, Mapping[int, Candle]]


@dataclass(slots=True, kw_only=True)
class Feed:
    """How far bars and scans are complete, and what was read of them; each stretch is read by the first who asks."""

    watermarks: Mapping[Timeframe, Watermark]
    scans: Mapping[Strategy, ScanWatermark]
    instruments: Sequence[Instrument]
    _signals: tuple[datetime, datetime, list[Signal]] | None = None
    _candles: dict[int, _Read] = field(default_factory=dict[int, _Read])

    @classmethod
    async def read(cls, transaction: Transaction) -> Feed:
        """Read how far things are; what is read later is at least as complete."""
        return cls(
            watermarks=await read_watermarks(transaction),
            scans=await read_scan_watermarks(transaction),
            instruments=await read_symbols(transaction),
        )

    @property
    def finest(self) -> Watermark | None:
        """The watermark of the shortest bars there are."""
        return finest_watermark(self.watermarks)

    @property
    def wanted(self) -> datetime | None:
        """The last minute whose bars are all complete, None before the first."""
        return bars_bound(self.watermarks, {each.base_timeframe for each in self.instruments})

    async def signals(self, transaction: Transaction, after: datetime, through: datetime) -> list[Signal]:
        """Return the signals decided in (after, through], in the order in which to act on them."""
        if self._signals is None or after < self._signals[0] or through > self._signals[1]:
            self._signals = after, through, await read_signals(transaction, after, through)
        return [each for each in self._signals[2] if after < each.decided_at <= through]

    async def candles(
        self, transaction: Transaction, symbols: Mapping[Timeframe, Collection[int]], after: datetime, through: datetime
    ) -> dict[int, Mapping[int, Candle]]:
        """Return bars by symbol and close: at least those that close in (after, through]."""
        missing = {
            timeframe: [each for each in ids if not self._has(each, after, through)]
            for timeframe, ids in symbols.items()
        }
        missing = {timeframe: ids for timeframe, ids in missing.items() if ids}
        read = await read_candles(transaction, missing, after, through) if missing else {}
        for ids in missing.values():
            self._candles.update({each: (after, through, read.get(each, {})) for each in ids})
        return {each: self._candles[each][2] for ids in symbols.values() for each in ids}

    def _has(self, symbol_id: int, after: datetime, through: datetime) -> bool:
        read = self._candles.get(symbol_id)
        return read is not None and read[0] <= after and through <= read[1]

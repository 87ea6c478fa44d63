"""A small market in a real database for the paper trader: bars, watermarks, scans and signals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from tracker.domain.bar import Bar
from tracker.domain.instrument import Instrument
from tracker.domain.signal import Signal, Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.strategies import RULES
from tracker.store.bars import advance_watermark, ensure_partitions, upsert_bars
from tracker.store.database import Database
from tracker.store.scans import advance_scan_watermark, write_signals
from tracker.store.symbols import read_symbols, write_symbols
from tracker.testing.trades import NOON

Row: TypeAlias = tuple[float, ...]


@dataclass(slots=True)
class PaperWorld:
    """Writes what collector and scanners would have written; `owner` is the database's own login."""

    owner: Database
    opened_at: datetime = NOON

    async def list_symbols(self, *instruments: Instrument) -> dict[str, int]:
        """Take symbols in and return their numbers."""
        async with self.owner.transaction() as transaction:
            await write_symbols(transaction, instruments)
            known = await read_symbols(transaction)
            await transaction.commit()
        return {each.symbol: each.symbol_id for each in known}

    async def bars(
        self,
        symbol: str,
        rows: Sequence[Row],
        *,
        first: datetime | None = None,
        timeframe: Timeframe = Timeframe.M1,
        complete: bool = True,
    ) -> None:
        """Store consecutive bars (open, high, low, close[, volume]) and, if `complete`, declare them so."""
        start = self.opened_at if first is None else first
        made = [
            Bar(
                symbol=symbol,
                timeframe=timeframe,
                ts=start + index * timeframe.duration,
                open=row[0],
                high=row[1],
                low=row[2],
                close=row[3],
                volume=row[4] if len(row) > 4 else 1e6,
            )
            for index, row in enumerate(rows)
        ]
        end = made[-1].closes_at
        async with self.owner.transaction() as transaction:
            ids = {each.symbol: each.symbol_id for each in await read_symbols(transaction)}
            await ensure_partitions(transaction, start, end)
            await upsert_bars(transaction, made, ids)
            if complete:
                await advance_watermark(transaction, timeframe, self.opened_at, end)
            await transaction.commit()

    async def complete(self, through: datetime, timeframe: Timeframe = Timeframe.M1) -> None:
        """Declare bars complete without writing any."""
        async with self.owner.transaction() as transaction:
            await advance_watermark(transaction, timeframe, self.opened_at, through)
            await transaction.commit()

    async def signals(self, signals: Iterable[Signal]) -> None:
        """Store proposals."""
        async with self.owner.transaction() as transaction:
            await write_signals(transaction, Timeframe.M15, signals)
            await transaction.commit()

    async def scanned(self, through: datetime, strategies: Iterable[Strategy] = tuple(RULES)) -> None:
        """Declare every close up to `through` scanned."""
        async with self.owner.transaction() as transaction:
            for strategy in strategies:
                await advance_scan_watermark(transaction, strategy, Timeframe.M15, through)
            await transaction.commit()


def minutes(count: float) -> timedelta:
    """Return a number of minutes."""
    return timedelta(minutes=count)


def with_ids(signals: Iterable[Signal], ids: Mapping[str, int], symbol: str) -> list[Signal]:
    """Return the signals for the symbol's number in this database."""
    return [replace(each, symbol_id=ids[symbol]) for each in signals]

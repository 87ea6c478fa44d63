"""Bars read before, given again while they still stand."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, TypeVar

import numpy as np

from tracker.domain.clock import Clock
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.store.bar_arrays import BarMatrix, LatestBars
from tracker.store.bars import BarTable
from tracker.store.database import Transaction
from tracker.store.readers import read_latest, read_range, read_symbol_range, read_window

T = TypeVar("T")


def stands(then: LatestBars, now: LatestBars, timeframe: Timeframe, end: datetime) -> bool:
    """Tell whether bars that open before `end`, read when the newest were `then`, are the same `now`.

    Every write either rewrites or adds bars after the newest one of its symbol. Both figures are read before the bars
    are, so that what is committed in between makes them look old, never new.
    """
    if not np.array_equal(then.symbol_ids, now.symbol_ids) or not np.array_equal(then.rewrites, now.rewrites):
        return False
    is_added = then.ts != now.ts
    return bool(np.all(then.ts[is_added] + timeframe.seconds >= end.timestamp()))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    state: LatestBars
    expires_at: float
    bars: Any


class BarCache:
    """Keeps up to `entries` answers for `ttl`, and asks before each use whether they still stand.

    The answer to that is one short read, so nobody sees a bar that is not in the database any more. What is
    returned is shared: its arrays are read-only.
    """

    def __init__(self, clock: Clock, ttl: timedelta = timedelta(minutes=5), entries: int = 64) -> None:
        """Start empty."""
        self._clock = clock
        self._ttl = ttl
        self._limit = entries
        self._entries: OrderedDict[tuple[object, ...], _Entry] = OrderedDict()
        self.hits = 0
        self.misses = 0

    async def symbol_range(
        self, transaction: Transaction, symbol_id: int, timeframe: Timeframe, first: datetime, end: datetime
    ) -> BarTable:
        """Return what read_symbol_range does."""
        state = await read_latest(transaction, timeframe, (symbol_id,))

        async def read() -> BarTable:
            return await read_symbol_range(transaction, symbol_id, timeframe, first, end)

        return await self._through(("one", symbol_id, timeframe, first, end), state, timeframe, end, read)

    async def range(
        self,
        transaction: Transaction,
        timeframe: Timeframe,
        first: datetime,
        end: datetime,
        symbol_ids: Collection[int] | None = None,
    ) -> dict[int, BarTable]:
        """Return what read_range does."""
        state = await read_latest(transaction, timeframe, symbol_ids)

        async def read() -> dict[int, BarTable]:
            return await read_range(transaction, timeframe, first, end, symbol_ids)

        return await self._through(("many", _key(symbol_ids), timeframe, first, end), state, timeframe, end, read)

    async def window(
        self,
        transaction: Transaction,
        timeframe: Timeframe,
        count: int,
        *,
        symbol_ids: Collection[int] | None = None,
        end: datetime | None = None,
    ) -> BarMatrix:
        """Return what read_window does."""
        state = await read_latest(transaction, timeframe, symbol_ids)
        newest = int(state.ts.max()) if len(state) else 0
        stop = end if end is not None else EPOCH + timedelta(seconds=newest + timeframe.seconds)

        async def read() -> BarMatrix:
            return await read_window(transaction, timeframe, count, symbol_ids=symbol_ids, end=stop)

        return await self._through(("window", _key(symbol_ids), timeframe, count, stop), state, timeframe, stop, read)

    async def _through(
        self,
        key: tuple[object, ...],
        state: LatestBars,
        timeframe: Timeframe,
        end: datetime,
        read: Callable[[], Awaitable[T]],
    ) -> T:
        now = self._clock.monotonic()
        known = self._entries.get(key)
        if known is not None and now < known.expires_at and stands(known.state, state, timeframe, end):
            self._entries.move_to_end(key)
            self.hits += 1
            return known.bars
        self.misses += 1
        bars = await read()
        _freeze(bars)
        self._entries[key] = _Entry(state=state, expires_at=now + self._ttl.total_seconds(), bars=bars)
        self._entries.move_to_end(key)
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)
        return bars


def _key(symbol_ids: Collection[int] | None) -> tuple[int, ...] | None:
    return None if symbol_ids is None else tuple(sorted(set(symbol_ids)))


def _freeze(bars: object) -> None:
    if isinstance(bars, dict):
        for each in bars.values():  # pyright: ignore[reportUnknownVariableType]
            _freeze(each)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(bars, BarTable | BarMatrix):
        for each in fields(bars):
            values = getattr(bars, each.name)
            if isinstance(values, np.ndarray):
                values.flags.writeable = False

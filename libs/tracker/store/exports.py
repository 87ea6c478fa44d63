"""Whole bars of one symbol for use elsewhere."""

from __future__ import annotations

import io
from datetime import datetime

import numpy as np

from tracker.domain.timeframe import Timeframe
from tracker.store.bars import BarTable
from tracker.store.database import Transaction

_HEADER_BYTES, _TRAILER_BYTES = 19, 2
_COLUMNS = (
    ("ts", ">i8"),
    *((name, ">f8") for name in ("open", "high", "low", "close", "volume", "vwap")),
    ("trades", ">i4"),
)
# A row of Postgres' binary COPY format: a column count, then length and value each.
_ROW = np.dtype(
    [("count", ">i2"), *(part for name, kind in _COLUMNS for part in ((f"{name}_length", ">i4"), (name, kind)))]
)


async def read_bars(
    transaction: Transaction, symbol_id: int, timeframe: Timeframe, first: datetime, end: datetime
) -> BarTable:
    """Return the bars that open in [first, end), archived ones included; all of them are in memory at once."""
    sink = io.BytesIO()
    await transaction.copy_out("exports.bars_copy", sink, symbol_id, timeframe.value, first, end)
    data = sink.getbuffer()
    count = (len(data) - _HEADER_BYTES - _TRAILER_BYTES) // _ROW.itemsize
    rows = np.frombuffer(data, dtype=_ROW, offset=_HEADER_BYTES, count=count)
    return BarTable(
        ts=rows["ts"].astype(np.int64),
        open=rows["open"].astype(np.float64),
        high=rows["high"].astype(np.float64),
        low=rows["low"].astype(np.float64),
        close=rows["close"].astype(np.float64),
        volume=rows["volume"].astype(np.float64),
        vwap=rows["vwap"].astype(np.float64),
        trades=rows["trades"].astype(np.int32),
    )

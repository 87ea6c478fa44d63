"""Bars of many symbols as arrays, and how they come out of Postgres without an object per value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.store.bars import BarTable

POSTGRES_EPOCH_SECONDS = 946_684_800
PRICES = ("open", "high", "low", "close", "volume")
_KINDS = {
    "symbol_id": ">i2", "ts": ">i8", **dict.fromkeys((*PRICES, "vwap"), ">f8"), "trades": ">i4", "rewrites": ">i8"
}
_NATIVE = {">i2": np.int64, ">i4": np.int32, ">i8": np.int64, ">f8": np.float64}
# What array_send writes before the elements of an array of one dimension: dimensions, flags, type, length, lower bound.
_ARRAY_HEADER_BYTES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestBars:
    """The newest bar of each of S symbols, by ascending id.

    `symbol_ids`, `ts` (Unix seconds of the open) and `rewrites` are int64 (S,), prices and volume float64 (S,).
    """

    symbol_ids: NDArray[np.int64]
    ts: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    rewrites: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of symbols."""
        return len(self.symbol_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class BarMatrix:
    """The last N bars of each of S symbols, by ascending id, the newest bar in the last column.

    `ts` is int64 (S, N), prices and volume float64 (S, N); where a symbol has fewer than N bars, which `counts` (S,)
    tells, its row begins with 0 and NaN.
    """

    symbol_ids: NDArray[np.int64]
    counts: NDArray[np.int64]
    ts: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]


def columns_of(row: Mapping[str, bytes | None]) -> dict[str, NDArray[Any]]:
    """Return the columns of a row that array_send made, in native byte order; times in Unix seconds.

    A column without any value is null.
    """
    return {name: _column(name, data) for name, data in row.items()}


def _column(name: str, data: bytes | None) -> NDArray[Any]:
    kind = _KINDS[name]
    if data is None:
        return np.empty(0, _NATIVE[kind])
    # Of each element its length, then its value.
    element = np.dtype([("length", ">i4"), ("value", kind)])
    values = np.frombuffer(data, element, offset=_ARRAY_HEADER_BYTES)["value"].astype(_NATIVE[kind])
    if name == "ts":
        values //= 1_000_000
        values += POSTGRES_EPOCH_SECONDS
    return values


def table_of(columns: Mapping[str, NDArray[Any]], begin: int = 0, end: int | None = None) -> BarTable:
    """Return the rows [begin, end) of columns of one symbol's bars."""
    cut = {name: values[begin:end] for name, values in columns.items()}
    return BarTable(
        ts=cut["ts"], open=cut["open"], high=cut["high"], low=cut["low"], close=cut["close"], volume=cut["volume"],
        vwap=cut.get("vwap"), trades=cut.get("trades"),
    )  # fmt: skip


def by_symbol(columns: Mapping[str, NDArray[Any]]) -> dict[int, BarTable]:
    """Cut columns of bars of many symbols, in any order, into a table a symbol, oldest bar first."""
    symbol_ids = columns["symbol_id"]
    if len(symbol_ids) == 0:
        return {}
    # Bit 40 is beyond the Unix seconds of any bar.
    key = (symbol_ids << 40) + columns["ts"]
    if np.any(key[1:] < key[:-1]):
        order = np.argsort(key)
        columns = {name: values[order] for name, values in columns.items()}
        symbol_ids = columns["symbol_id"]
    begins = np.flatnonzero(np.concatenate(([True], symbol_ids[1:] != symbol_ids[:-1])))
    ends = [*begins[1:].tolist(), len(symbol_ids)]
    return {
        int(symbol_ids[begin]): table_of(columns, begin, end)
        for begin, end in zip(begins.tolist(), ends, strict=True)
    }

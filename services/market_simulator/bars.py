"""A block of bars in columns, its roll-up to longer bars and its JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

TS, OPEN, HIGH, LOW, CLOSE, VOLUME, VWAP, TRADES = range(8)
_JSON_ROW = b'{"v":%b,"vw":%b,"o":%b,"c":%b,"h":%b,"l":%b,"t":%b,"n":%b}'
# Rows turned into JSON at once: their pieces are small Python objects, ten times the size of the result.
_JSON_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars sorted by time in a table of 8 rows: ts (open, epoch s), o, h, l, c, v, vwap, trades."""

    table: Floats

    def __len__(self) -> int:
        """Return how many bars there are."""
        return self.table.shape[1]

    @property
    def ts(self) -> Floats:
        """Open times in epoch seconds (whole numbers, exact as float64)."""
        return self.table[TS]

    def between(self, start: int, end: int) -> Bars:
        """Return the bars with start <= ts < end."""
        low, high = np.searchsorted(self.ts, (start, end))
        return Bars(self.table[:, low:high])

    def rolled(self, span: int) -> Bars:
        """Return these bars rolled up to buckets of `span` seconds that start at the epoch."""
        if len(self) == 0:
            return self
        bucket = np.floor_divide(self.ts, span)
        first = np.flatnonzero(np.diff(bucket, prepend=-1.0))
        last = np.append(first[1:], len(self)) - 1
        return Bars(_aggregate(self.table, bucket[first] * span, first, last))

    def json_rows(self, decimals: int) -> list[bytes]:
        """Return pieces of JSON text, each of many rows joined by commas; VWAP rounded to `decimals`."""
        return [
            b",".join(map(_JSON_ROW.__mod__, _json_cells(self.table[:, at : at + _JSON_CHUNK], decimals)))
            for at in range(0, len(self), _JSON_CHUNK)
        ]


def empty_bars() -> Bars:
    """Return no bars."""
    return Bars(np.empty((8, 0)))


def joined(parts: Sequence[Bars]) -> Bars:
    """Return blocks that follow each other as one."""
    if not parts:
        return empty_bars()
    return parts[0] if len(parts) == 1 else Bars(np.concatenate([part.table for part in parts], axis=1))


def _aggregate(table: Floats, ts: Floats, first: NDArray[np.intp], last: NDArray[np.intp]) -> Floats:
    out = np.empty((8, len(first)))
    out[TS] = ts
    out[OPEN] = table[OPEN, first]
    out[HIGH] = np.maximum.reduceat(table[HIGH], first)
    out[LOW] = np.minimum.reduceat(table[LOW], first)
    out[CLOSE] = table[CLOSE, last]
    out[VOLUME] = np.add.reduceat(table[VOLUME], first)
    out[TRADES] = np.add.reduceat(table[TRADES], first)
    traded = np.add.reduceat(table[VOLUME] * table[VWAP], first)
    # Without volume there is no average price; the close stands in, as it is within the bar.
    out[VWAP] = np.divide(traded, out[VOLUME], out=out[CLOSE].copy(), where=out[VOLUME] > 0)
    return out


def _json_cells(table: Floats, decimals: int) -> zip[tuple[bytes, ...]]:
    whole = table[[TS, TRADES]].astype(np.int64)
    columns = (
        table[VOLUME], rounded(table[VWAP], decimals), table[OPEN], table[CLOSE], table[HIGH], table[LOW],
        whole[0] * 1000, whole[1],
    )
    return zip(*(_cells(column) for column in columns), strict=True)


def _cells(column: NDArray[np.generic]) -> list[bytes]:
    text = orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)
    return text[1:-1].split(b",")


def rounded(values: Floats, decimals: int) -> Floats:
    """Return the doubles nearest to `values` written with that many decimals.

    Dividing a whole number by an exact power of ten is correctly rounded, so 0.1 + 0.2 becomes 0.3.
    """
    factor = 10.0**decimals
    return np.rint(values * factor) / factor

"""Closes hour by hour, from which the correlation of symbols is worked out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracker.quant.risk_rules import HOUR_SECONDS

NOTHING: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class HourlyCloses:
    """Rows of closes by symbol, one an hour: row 0 closes in hour `first` (hours since 1970); NaN where none did."""

    first: int
    rows: Mapping[int, Any]

    def row_at(self, moment: int) -> int:
        """Return the row of the last hour that has closed at a moment in Unix seconds."""
        return moment // HOUR_SECONDS - self.first

    def of(self, symbol_id: int) -> Sequence[float]:
        """Return a symbol's closes, none where it has none."""
        return self.rows.get(symbol_id, NOTHING)


def hourly_closes(
    closes: Iterable[tuple[int, int, float]], symbol_ids: Iterable[int], begin: int, end: int
) -> HourlyCloses:
    """Return the hours that close in [begin, end] (Unix seconds) of (symbol, bar open, close) rows of 1h bars."""
    first = -(-begin // HOUR_SECONDS)
    count = max(end // HOUR_SECONDS - first + 1, 0)
    rows = {each: [math.nan] * count for each in symbol_ids}
    for symbol_id, ts, close in closes:
        at = ts // HOUR_SECONDS + 1 - first
        if 0 <= at < count:
            rows[symbol_id][at] = close
    return HourlyCloses(first, rows)

"""The body of an aggregates answer as columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray
from tracker.store.bars import BarTable

from services.data_collector.feeds.polygon_messages import LARGEST_NUMBER

Rows: TypeAlias = NDArray[np.float64]

LAST_MOMENT_MS = 4_102_444_799_999  # the last second of 2099
_BEGIN, _END = b'"results":[', b"}]"
# A row as the vendor writes it, without its numbers, and where in it stand t, o, h, l, c, v, vw and n.
_ROW, _ORDER = b'{"v":,"vw":,"o":,"c":,"h":,"l":,"t":,"n":},', (6, 2, 4, 5, 3, 0, 1, 7)
_PRICES = ("o", "h", "l", "c", "v")
_NUMBER_PARTS, _ALL_ELSE = b"0123456789.+-eE", b'{}":vwochltn'


def read_body(content: bytes) -> Any:
    """Return the JSON of an answer; raises orjson.JSONDecodeError where it is none.

    `results` are `Rows` where every row has exactly the usual form: a month of minutes as objects takes 60 MB.
    """
    begin = content.find(_BEGIN) + len(_BEGIN)
    end = content.find(_END, begin) + 1
    if begin >= len(_BEGIN) and end:
        rows = _usual_rows(content[begin:end])
        body: Any = None if rows is None else orjson.loads(content[:begin] + content[end:])
        if isinstance(body, dict) and body.get("results") == []:
            return {**body, "results": rows}
    return orjson.loads(content)


def rows_of(results: Any) -> Rows:
    """Return the results of a body with one row of numbers a bar, NaN for what is no number."""
    if isinstance(results, np.ndarray):
        return results
    rows: list[Any] = results or []
    try:
        found = [(r["t"], r["o"], r["h"], r["l"], r["c"], r["v"], r.get("vw", np.nan), r.get("n", 0)) for r in rows]
        return np.array(found, dtype=np.float64).reshape(-1, len(_ORDER))
    except (TypeError, ValueError, KeyError, AttributeError):
        return np.array([_repaired_row(row) for row in rows], dtype=np.float64)


def unreadable(results: Any) -> dict[int, str]:
    """Return for opens (Unix seconds) of rows with something else than numbers what that is."""
    found: dict[int, str] = {}
    if isinstance(results, np.ndarray) or not results:
        return found
    for row in results:
        moment = row.get("t") if isinstance(row, dict) else None
        if not isinstance(moment, int):
            continue
        for name in _PRICES:
            if math.isnan(_number(row.get(name))):
                found[moment // 1000] = f"{name} is {row.get(name)!r}, a number was expected"
                break
    return found


def bar_table(rows: Rows, why: Mapping[int, str] | None = None) -> BarTable:
    """Return rows as bars; what cannot be becomes a bar that is rejected by name and value."""
    columns = rows.T.copy()
    values = columns[1:7]
    values[np.abs(values) > LARGEST_NUMBER] = np.nan
    return BarTable(
        # A moment that is none becomes one at which no bar opens, and is rejected for it.
        ts=(columns[0].clip(-1000, LAST_MOMENT_MS) // 1000).astype(np.int64),
        open=columns[1],
        high=columns[2],
        low=columns[3],
        close=columns[4],
        volume=columns[5],
        vwap=columns[6],
        trades=columns[7].clip(0, 2_147_483_647).astype(np.int32),
        unreadable=why or {},
    )


def _usual_rows(text: bytes) -> Rows | None:
    """Read rows that differ from each other in nothing but their numbers, None where any does."""
    count = text.count(b"{")
    if text.translate(None, _NUMBER_PARTS) != (_ROW * count)[:-1]:
        return None
    try:
        numbers = orjson.loads(b"[%b]" % text.translate(None, _ALL_ELSE))
    except orjson.JSONDecodeError:
        return None
    return np.array(numbers, dtype=np.float64).reshape(count, len(_ORDER))[:, _ORDER]


def _repaired_row(row: Any) -> tuple[float, ...]:
    facts: dict[str, Any] = row if isinstance(row, dict) else {}
    moment = _number(facts.get("t"))
    prices = (_number(facts.get(name)) for name in ("o", "h", "l", "c", "v", "vw"))
    trades = _number(facts.get("n"))
    return (-1000.0 if math.isnan(moment) else moment, *prices, 0.0 if math.isnan(trades) else trades)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan

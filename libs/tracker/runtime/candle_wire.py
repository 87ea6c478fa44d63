"""Batches of candles from one process to another: a line of JSON, then the columns as they lie in memory."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import IO, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from tracker.runtime.candle_batches import CandleBatch
from tracker.runtime.candles import BadRow
from tracker.store.bars import BarTable

FLOATS = ("open", "high", "low", "close", "volume", "vwap")
COLUMNS = {"lines": "<i8", "ts": "<i8", **dict.fromkeys(FLOATS, "<f8"), "trades": "<i4"}


def send_batch(out: IO[bytes], batch: CandleBatch) -> None:
    """Write a batch; `receive` reads it."""
    columns = {name: _column(batch, name) for name in COLUMNS}
    head = {
        "read": batch.read,
        "counts": {name: None if each is None else len(each) for name, each in columns.items()},
        "bad_rows": [{**asdict(each), "file": str(each.file)} for each in batch.bad_rows],
    }
    out.write(orjson.dumps(head) + b"\n")
    for name, each in columns.items():
        if each is not None:
            out.write(np.ascontiguousarray(each, dtype=COLUMNS[name]).tobytes())


def send_end(out: IO[bytes], error: str | None = None) -> None:
    """Write that nothing more comes, or why nothing more can come."""
    out.write(orjson.dumps({"error": error}) + b"\n")


def receive(source: IO[bytes]) -> CandleBatch | str | None:
    """Read what comes next: a batch, an error's words, or None at the end.

    Raises EOFError where the sender ended in the middle, ValueError where that is no such stream.
    """
    line = source.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    head = orjson.loads(line)
    if "error" in head:
        return head["error"]
    columns = {name: _read(source, count, COLUMNS[name]) for name, count in head["counts"].items()}
    lines: Any = columns.pop("lines")
    bad = tuple(BadRow(**{**each, "file": Path(each["file"]), "raw": tuple(each["raw"])}) for each in head["bad_rows"])
    table: dict[str, Any] = {each.name: columns[each.name] for each in fields(BarTable) if each.name in columns}
    return CandleBatch(table=BarTable(**table), lines=lines, bad_rows=bad, read=head["read"])


def _column(batch: CandleBatch, name: str) -> NDArray[Any] | None:
    return batch.lines if name == "lines" else getattr(batch.table, name)


def _read(source: IO[bytes], count: int | None, kind: str) -> NDArray[Any] | None:
    if count is None:
        return None
    size = count * np.dtype(kind).itemsize
    data = source.read(size)
    if len(data) != size:
        raise EOFError
    return np.frombuffer(data, dtype=kind).copy()

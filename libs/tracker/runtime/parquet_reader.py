"""Reads a Parquet file and hands its candles on: `python -m tracker.runtime.parquet_reader PATH ROWS`.

Standard output is what `candle_wire` reads: batches, and at the end that there are no more, or why not. The library
panics on damaged files, which may end the process.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import arro3.core as core
import arro3.io as files
import numpy as np
from numpy.typing import NDArray

from tracker.domain.errors import InputError
from tracker.runtime.candle_batches import EXTRAS, CandleBatch, table_of
from tracker.runtime.candle_wire import send_batch, send_end
from tracker.runtime.candles import COLUMNS, LATEST_SECOND, BadRow, parse_number, parse_open_time

MAGIC = b"PAR1"


def read_rows(path: Path, size: int) -> Iterator[CandleBatch]:
    """Read the file, `size` rows at a time; raises InputError, without its name, where it cannot be used."""
    _check_ends(path)
    length, done = path.stat().st_size, 0
    with path.open("rb") as file:
        reader = files.read_parquet(file, batch_size=size)
        names = list(reader.schema.names)
        for column in COLUMNS:
            if column not in names:
                raise InputError(f"column {column!r} is missing from {','.join(names)!r}")
        for batch in reader:
            yield _batch(path, batch, names, done + 1, min(file.tell(), length))
            done += batch.num_rows


def main() -> None:
    """Hand the batches on."""
    path, size = Path(sys.argv[1]), int(sys.argv[2])
    out = sys.stdout.buffer
    try:
        for batch in read_rows(path, size):
            send_batch(out, batch)
        send_end(out)
    except InputError as error:
        send_end(out, str(error))
    except Exception as error:
        send_end(out, f"cannot be read: {' '.join(str(error).split())}")


def _check_ends(path: Path) -> None:
    """Raise InputError for what is no whole Parquet file, which is the usual damage."""
    try:
        with path.open("rb") as file:
            begins = file.read(4)
            size = path.stat().st_size
            file.seek(max(size - 8, 0))
            tail = file.read()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from None
    if begins != MAGIC or tail[4:] != MAGIC or int.from_bytes(tail[:4], "little") + 12 > size:
        raise InputError("not a whole Parquet file")


def _batch(path: Path, batch: Any, names: list[str], first_line: int, read: int) -> CandleBatch:
    float64 = core.DataType.float64()
    ts, reasons = _opens(batch.column("ts"))
    values = np.stack([_floats(batch.column(name), float64) for name in COLUMNS[1:]])
    extras = [
        _floats(batch.column(name), float64) if name in names else np.full(batch.num_rows, np.nan) for name in EXTRAS
    ]
    whole = np.isfinite(values).all(axis=0) & (ts >= 0)
    bad: list[BadRow] = []
    for index in np.flatnonzero(~whole).tolist():
        cells = [batch.column(name)[index].as_py() for name in COLUMNS[1:]]
        bad.append(_bad_row(path, first_line + index, cells, values[:, index], int(ts[index]), reasons.get(index)))
    table = table_of(ts[whole], values[:, whole], *(each[whole] for each in extras))
    lines = first_line + np.flatnonzero(whole)
    return CandleBatch(table=table, lines=lines, bad_rows=tuple(bad), read=read)


def _opens(column: Any) -> tuple[NDArray[np.int64], dict[int, tuple[str, str]]]:
    """Return opens in Unix seconds, -1 with value and reason where one cannot be read."""
    kind = core.DataType
    if kind.is_timestamp(column.type) and column.null_count == 0:
        micros = column.cast(kind.timestamp("us", tz="UTC")).cast(kind.int64()).to_numpy()
        inside = (micros >= 0) & (micros < LATEST_SECOND * 1_000_000)
        fine = inside & (micros % 1_000_000 == 0)
        return np.where(fine, micros // 1_000_000, -1), {
            int(index): (
                str(np.datetime64(int(micros[index]), "us")),
                "is not a whole second" if inside[index] else "lies outside 1970 to 2100",
            )
            for index in np.flatnonzero(~fine)
        }
    found, reasons = np.full(len(column), -1, dtype=np.int64), dict[int, tuple[str, str]]()
    for index, value in enumerate(column.to_pylist()):
        text = "" if value is None else str(value)
        try:
            found[index] = parse_open_time(text)
        except ValueError as error:
            reasons[index] = text, str(error)
    return found, reasons


def _floats(column: Any, float64: Any) -> NDArray[np.float64]:
    cast = column.cast(float64)
    if cast.null_count == 0:
        return np.asarray(cast.to_numpy(), dtype=np.float64)
    return np.array([np.nan if value is None else value for value in cast.to_pylist()], dtype=np.float64)


def _bad_row(
    path: Path, line: int, cells: list[Any], values: NDArray[np.float64], ts: int, why: tuple[str, str] | None
) -> BadRow:
    raw = tuple("" if cell is None else str(cell) for cell in cells)
    if why is not None:
        return BadRow(file=path, line=line, field="ts", value=why[0], reason=why[1], raw=raw)
    column = int(np.flatnonzero(~np.isfinite(values))[0])
    reason = "is not a number"
    try:
        parse_number(raw[column])
    except ValueError as error:
        reason = str(error)
    return BadRow(file=path, line=line, field=COLUMNS[1 + column], value=raw[column], reason=reason, ts=ts, raw=raw)


if __name__ == "__main__":
    main()

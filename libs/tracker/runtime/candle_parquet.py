"""Candles in Parquet, by way of the optional extra `parquet`."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.domain.errors import InputError
from tracker.runtime.candle_batches import BATCH_ROWS, EXTRAS, CandleBatch, table_of
from tracker.runtime.candles import COLUMNS, BadRow, parse_open_time
from tracker.store.bars import BarTable

MAGIC = b"PAR1"
ROWS_A_GROUP = 100_000
COMPRESSION = "zstd(3)"


def parquet_at_hand() -> bool:
    """Tell whether the extra is installed."""
    return importlib.util.find_spec("arro3") is not None and importlib.util.find_spec("arro3.io") is not None


def need_parquet() -> None:
    """Raise InputError saying what to install where the extra is not."""
    if not parquet_at_hand():
        raise InputError(
            "Parquet needs the packages arro3-core and arro3-io: install them with"
            " `.venv/bin/pip install 'crypto-tracker[parquet]'`, or use CSV"
        )


def parquet_batches(path: Path, size: int = BATCH_ROWS) -> Iterator[CandleBatch]:
    """Read a Parquet file with at least COLUMNS, `size` rows at a time.

    `ts` is a timestamp, or a number or text as in CSV. Raises InputError naming the file where a column is missing
    or it cannot be read.
    """
    need_parquet()
    _check_ends(path)
    length, done = path.stat().st_size, 0
    with path.open("rb") as file:
        reader = _reader(path, file, size)
        names = list(reader.schema.names)
        for column in COLUMNS:
            if column not in names:
                raise InputError(f"{path}: column {column!r} is missing from {','.join(names)!r}")
        try:
            for batch in reader:
                yield _batch(path, batch, names, done + 1, min(file.tell(), length))
                done += batch.num_rows
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{path}: cannot be read: {error}") from None


def write_parquet(path: Path, tables: Iterable[BarTable]) -> None:
    """Write tables one below the other; raises InputError where the file cannot be written."""
    need_parquet()
    core, files = importlib.import_module("arro3.core"), importlib.import_module("arro3.io")
    schema = _schema(core)
    failures: list[BaseException] = []

    def batches() -> Iterator[Any]:
        try:
            for table in tables:
                yield _record_batch(core, schema, table)
        except BaseException as error:
            failures.append(error)
            raise

    try:
        with path.open("wb") as file:
            files.write_parquet(
                core.RecordBatchReader.from_batches(schema, batches()), file,
                compression=COMPRESSION, max_row_group_size=ROWS_A_GROUP,
            )
    except Exception as error:
        # The library tells of what went wrong in `tables` in its own words.
        if failures:
            raise failures[0] from None
        raise InputError(f"{path}: cannot be written: {error}") from None


def _check_ends(path: Path) -> None:
    """Raise InputError for what is no whole Parquet file: the library ends the process with a report of its own."""
    try:
        with path.open("rb") as file:
            begins = file.read(4)
            size = path.stat().st_size
            file.seek(max(size - 8, 0))
            tail = file.read()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if begins != MAGIC or tail[4:] != MAGIC or int.from_bytes(tail[:4], "little") + 12 > size:
        raise InputError(f"{path}: not a whole Parquet file")


def _reader(path: Path, file: Any, size: int) -> Any:
    try:
        return importlib.import_module("arro3.io").read_parquet(file, batch_size=size)
    except BaseException as error:
        # What the library did not foresee it raises past Exception.
        if type(error).__name__ != "PanicException" and not isinstance(error, Exception):
            raise
        raise InputError(f"{path}: cannot be read: {error}") from None


def _batch(path: Path, batch: Any, names: list[str], first_line: int, read: int) -> CandleBatch:
    core = importlib.import_module("arro3.core")
    float64 = core.DataType.float64()
    ts, reasons = _opens(core, batch.column("ts"))
    values = np.stack([_floats(batch.column(name), float64) for name in COLUMNS[1:]])
    extras = [
        _floats(batch.column(name), float64) if name in names else np.full(batch.num_rows, np.nan) for name in EXTRAS
    ]
    whole = np.isfinite(values).all(axis=0) & (ts >= 0)
    bad = [
        _bad_row(path, first_line + int(index), int(ts[index]), values[:, index], reasons.get(int(index)))
        for index in np.flatnonzero(~whole)
    ]
    table = table_of(ts[whole], values[:, whole], *(each[whole] for each in extras))
    return CandleBatch(table=table, bad_rows=tuple(bad), read=read)


def _opens(core: Any, column: Any) -> tuple[NDArray[np.int64], dict[int, tuple[str, str]]]:
    """Return opens in Unix seconds, -1 with value and reason where one cannot be read."""
    kind = core.DataType
    if kind.is_timestamp(column.type) and column.null_count == 0:
        micros = column.cast(kind.timestamp("us", tz="UTC")).cast(kind.int64()).to_numpy()
        if bool((micros % 1_000_000 == 0).all()) and bool((micros >= 0).all()):
            return micros // 1_000_000, {}
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
    path: Path, line: int, ts: int, values: NDArray[np.float64], why: tuple[str, str] | None
) -> BadRow:
    raw = tuple(repr(float(value)) for value in values)
    if why is not None:
        return BadRow(file=path, line=line, field="ts", value=why[0], reason=why[1], raw=raw)
    column = int(np.flatnonzero(~np.isfinite(values))[0])
    return BadRow(
        file=path, line=line, field=COLUMNS[1 + column], value=raw[column], reason="is not a finite number",
        ts=ts, raw=raw,
    )


def _schema(core: Any) -> Any:
    kind = core.DataType
    columns = [("ts", kind.timestamp("us", tz="UTC"))]
    columns += [(name, kind.float64()) for name in (*COLUMNS[1:], "vwap")]
    columns += [("trades", kind.int32())]
    return core.Schema([core.Field(name, of, nullable=False) for name, of in columns])


def _record_batch(core: Any, schema: Any, table: BarTable) -> Any:
    count = len(table)
    columns: list[NDArray[Any]] = [table.open, table.high, table.low, table.close, table.volume]
    columns.append(np.full(count, np.nan) if table.vwap is None else table.vwap)
    columns.append(np.zeros(count, np.int32) if table.trades is None else table.trades)
    opens = core.Array.from_numpy(table.ts * 1_000_000).cast(core.DataType.timestamp("us", tz="UTC"))
    arrays = [opens, *(core.Array.from_numpy(np.ascontiguousarray(column)) for column in columns)]
    return core.RecordBatch.from_arrays(arrays, schema=schema)

"""Candles in Parquet: written here, read by a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import arro3.core as core
import arro3.io as files
import numpy as np
from numpy.typing import NDArray

from tracker.domain.errors import InputError
from tracker.runtime.candle_batches import BATCH_ROWS, CandleBatch
from tracker.runtime.candle_wire import receive
from tracker.runtime.candles import COLUMNS
from tracker.store.bars import BarTable

ROWS_A_GROUP = 100_000
COMPRESSION = "zstd(3)"


def parquet_batches(path: Path, size: int = BATCH_ROWS) -> Iterator[CandleBatch]:
    """Read a Parquet file with at least COLUMNS, `size` rows at a time.

    `ts` is a timestamp, or a number or text as in CSV. Raises InputError naming the file where a column is missing
    or it cannot be read. A damaged file may end the process that reads it, so that is not this one.
    """
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "tracker.runtime.parquet_reader", str(path), str(size)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        while (said := receive(process.stdout)) is not None:
            if isinstance(said, str):
                raise InputError(f"{path}: {said}")
            yield said
    except (EOFError, ValueError):
        raise InputError(f"{path}: cannot be read: the file is damaged") from None
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def write_parquet(path: Path, tables: Iterable[BarTable]) -> None:
    """Write tables one below the other; raises InputError where the file cannot be written."""
    schema = _schema()
    failures: list[BaseException] = []

    def batches() -> Iterator[Any]:
        try:
            for table in tables:
                yield _record_batch(schema, table)
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


def _schema() -> Any:
    kind = core.DataType
    columns = [("ts", kind.timestamp("us", tz="UTC"))]
    columns += [(name, kind.float64()) for name in (*COLUMNS[1:], "vwap")]
    columns += [("trades", kind.int32())]
    return core.Schema([core.Field(name, of, nullable=False) for name, of in columns])


def _record_batch(schema: Any, table: BarTable) -> Any:
    count = len(table)
    columns: list[NDArray[Any]] = [table.open, table.high, table.low, table.close, table.volume]
    columns.append(np.full(count, np.nan) if table.vwap is None else table.vwap)
    columns.append(np.zeros(count, np.int32) if table.trades is None else table.trades)
    opens = core.Array.from_numpy(table.ts * 1_000_000).cast(core.DataType.timestamp("us", tz="UTC"))
    arrays = [opens, *(core.Array.from_numpy(np.ascontiguousarray(column)) for column in columns)]
    return core.RecordBatch.from_arrays(arrays, schema=schema)

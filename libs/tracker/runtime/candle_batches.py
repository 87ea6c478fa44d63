"""Candle files of any size, read and written batch by batch."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from tracker.domain.errors import InputError
from tracker.domain.timeframe import Timeframe
from tracker.runtime.candles import COLUMNS, BadRow, CandleFile, column_order, read_columns, read_row
from tracker.store.bars import BarTable

BATCH_ROWS = 50_000
CSV, PARQUET = ".csv", ".parquet"
# What files of other tools may lack: unknown, they are NaN and 0.
EXTRAS = ("vwap", "trades")
MOST_TRADES = 2_147_483_647
_SYMBOL = re.compile(r"[A-Z0-9]+-[A-Z0-9]+")
_NAME = re.compile(r"(?P<symbol>[A-Z0-9]+-[A-Z0-9]+)_(?P<timeframe>1m|5m|15m|1h|1d)(?:_.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleBatch:
    """Rows as they stand in the file, those that hold no numbers apart.

    `lines` says where in the file each row of the table is, `read` how many bytes were read so far.
    """

    table: BarTable
    lines: NDArray[np.int64]
    bad_rows: tuple[BadRow, ...]
    read: int


def files_to_import(
    paths: Iterable[Path], symbol: str | None = None, timeframe: Timeframe | None = None
) -> list[CandleFile]:
    """Return the .csv and .parquet files of paths and folders; what is not given is taken from their names.

    Raises InputError naming the path.
    """
    if symbol is not None and _SYMBOL.fullmatch(symbol) is None:
        raise InputError(f"--symbol: {symbol!r} is not BASE-QUOTE in capitals, such as BTC-USD")
    files: list[CandleFile] = []
    for path in paths:
        if not path.exists():
            raise InputError(f"{path} does not exist")
        found = [path]
        if path.is_dir():
            found = sorted(each for each in path.iterdir() if each.suffix in (CSV, PARQUET))
            if not found:
                raise InputError(f"{path} holds no file named *{CSV} or *{PARQUET}")
        files += [_named(each, symbol, timeframe) for each in found]
    return files


def _named(path: Path, symbol: str | None, timeframe: Timeframe | None) -> CandleFile:
    if path.suffix not in (CSV, PARQUET):
        raise InputError(f"{path}: neither a {CSV} nor a {PARQUET} file")
    match = _NAME.fullmatch(path.stem)
    if match is None and (symbol is None or timeframe is None):
        raise InputError(
            f"{path}: file name {path.name!r} is not SYMBOL_TIMEFRAME[_anything]{path.suffix},"
            " such as BTC-USD_1m.csv: rename it, or say --symbol and --timeframe"
        )
    return CandleFile(
        path=path,
        symbol=symbol or (match["symbol"] if match else ""),
        timeframe=timeframe or Timeframe(match["timeframe"] if match else ""),
    )


def csv_batches(path: Path, size: int = BATCH_ROWS) -> Iterator[CandleBatch]:
    """Read a CSV file with at least COLUMNS, `size` rows at a time.

    Raises InputError naming the file where a column is missing or it cannot be read on.
    """
    try:
        with path.open("rb") as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text:
            lines = csv.reader(text)
            header = next(lines, list[str]())
            order, extras = column_order(path, header), _extra_columns(header)
            rows: list[tuple[int, list[str]]] = []
            for row in lines:
                if row:
                    rows.append((lines.line_num, row))
                if len(rows) == size:
                    yield _batch(path, rows, order, extras, raw.tell())
                    rows = []
            yield _batch(path, rows, order, extras, raw.tell())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None


def write_csv(path: Path, tables: Iterable[BarTable]) -> None:
    """Write tables one below the other; every number reads back as the same float.

    Raises InputError where the file cannot be written.
    """
    try:
        with path.open("wb") as file:
            file.write(",".join((*COLUMNS, *EXTRAS)).encode() + b"\n")
            for table in tables:
                file.writelines(b",".join(row) + b"\n" for row in zip(*_cells(table), strict=True))
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None


def table_of(
    ts: NDArray[np.int64], values: NDArray[np.float64], vwap: NDArray[np.float64], trades: NDArray[np.float64]
) -> BarTable:
    """Return rows as bars; `values` holds open to volume, a VWAP or a count that cannot be is taken for unknown."""
    counted = np.nan_to_num(trades, nan=0.0, posinf=0.0, neginf=0.0)
    return BarTable(
        ts=ts,
        open=values[0],
        high=values[1],
        low=values[2],
        close=values[3],
        volume=values[4],
        vwap=np.where(np.isfinite(vwap) & (vwap > 0), vwap, np.nan),
        trades=np.where((counted >= 0) & (counted <= MOST_TRADES), counted, 0).astype(np.int32),
    )


def _extra_columns(header: Sequence[str]) -> tuple[int | None, ...]:
    names = [name.strip().lower() for name in header]
    return tuple(names.index(name) if name in names else None for name in EXTRAS)


def _batch(
    path: Path, rows: Sequence[tuple[int, list[str]]], order: tuple[int, ...], extras: tuple[int | None, ...], read: int
) -> CandleBatch:
    fast = read_columns([row for _, row in rows], order)
    kept, bad = rows, list[BadRow]()
    if fast is None:
        parsed = [read_row(path, line, row, order) for line, row in rows]
        bad = [each for each in parsed if isinstance(each, BadRow)]
        good = [each for each in parsed if not isinstance(each, BadRow)]
        kept = [row for row, each in zip(rows, parsed, strict=True) if not isinstance(each, BadRow)]
        values = np.array([each[1] for each in good], dtype=np.float64).reshape(-1, len(COLUMNS) - 1).T
        fast = np.array([each[0] for each in good], dtype=np.int64), values
    vwap, trades = (_numbers([row for _, row in kept], column) for column in extras)
    lines = np.array([line for line, _ in kept], dtype=np.int64)
    return CandleBatch(table=table_of(*fast, vwap, trades), lines=lines, bad_rows=tuple(bad), read=read)


def _numbers(rows: Sequence[Sequence[str]], column: int | None) -> NDArray[np.float64]:
    """Return a column, NaN where a row has nothing in it that is a number."""
    if column is None:
        return np.full(len(rows), np.nan)
    cells = [row[column].strip() if column < len(row) else "" for row in rows]
    try:
        return np.array([cell or "nan" for cell in cells], dtype=object).astype(np.float64)
    except ValueError:
        return np.array([_number(cell) for cell in cells], dtype=np.float64)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _cells(table: BarTable) -> Iterator[list[bytes]]:
    moments = np.datetime_as_string(table.ts.astype("datetime64[s]"), unit="s").tolist()
    yield [f"{moment}Z".encode() for moment in moments]
    count = len(table)
    vwap = np.full(count, np.nan) if table.vwap is None else table.vwap
    trades = np.zeros(count, np.int32) if table.trades is None else table.trades
    for column in (table.open, table.high, table.low, table.close, table.volume, vwap, trades):
        # Its numbers are the shortest that read back the same; NaN is null in JSON and empty in CSV.
        text = orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)
        yield text[1:-1].replace(b"null", b"").split(b",") if count else []

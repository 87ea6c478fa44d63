"""Candle CSV files: which there are, and what they say."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tracker.domain.errors import InputError
from tracker.domain.timeframe import Timeframe

Floats: TypeAlias = NDArray[np.float64]
Seconds: TypeAlias = NDArray[np.int64]

COLUMNS = ("ts", "open", "high", "low", "close", "volume")
_NAME = re.compile(r"(?P<symbol>[A-Z0-9]+-[A-Z0-9]+)_(?P<timeframe>1m|5m|15m|1h|1d)(?:_.*)?\.csv")
_ISO_WITH_Z = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ")
# A number at or above this is milliseconds: as seconds it would be the year 5138.
_MILLISECONDS_FROM = 100_000_000_000
LATEST_SECOND = 4_102_444_800  # 2100-01-01


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleFile:
    """A CSV file and what its name says about it."""

    path: Path
    symbol: str
    timeframe: Timeframe


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """A row that holds something other than numbers and a time.

    `field` is the first column that cannot be read, `value` its text; `ts` is the open time in epoch
    seconds where that much could be read; `raw` is the text of open, high, low, close and volume.
    """

    file: Path
    line: int
    field: str
    value: str
    reason: str
    ts: int | None = None
    raw: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleSeries:
    """Candles of one symbol and timeframe, in the order of the file or, once merged, of time.

    `ts` is the open time in epoch seconds UTC; prices in quote currency, `v` in base currency.
    Impossible bars (high < low, negative prices) are kept: judging them is the collector's work.
    """

    symbol: str
    timeframe: Timeframe
    ts: Seconds
    o: Floats
    h: Floats
    l: Floats  # noqa: E741 - the vendor's name for low
    c: Floats
    v: Floats
    bad_rows: tuple[BadRow, ...] = ()

    def __len__(self) -> int:
        """Return how many rows could be read."""
        return len(self.ts)


def candle_files(path: Path, symbols: Collection[str] = ()) -> tuple[CandleFile, ...]:
    """Return the CSV files of a folder (or the one file), sorted by name; only `symbols` where given.

    Raises InputError where there is none, where a name cannot be read, or where a symbol has no file.
    """
    if not path.exists():
        raise InputError(f"candles: {path} does not exist")
    paths = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not paths:
        raise InputError(f"candles: {path} holds no file named *.csv")
    files = [_named(each) for each in paths]
    missing = sorted(set(symbols) - {each.symbol for each in files})
    if missing:
        raise InputError(f"candles: {path} holds no file for symbol {missing[0]!r}")
    return tuple(each for each in files if not symbols or each.symbol in symbols)


def _named(path: Path) -> CandleFile:
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise InputError(
            f"{path}: file name {path.name!r} is not SYMBOL_TIMEFRAME[_anything].csv,"
            " such as BTC-USD_1m.csv (timeframes 1m 5m 15m 1h 1d)"
        )
    return CandleFile(path=path, symbol=match["symbol"], timeframe=Timeframe(match["timeframe"]))


def read_candles(file: CandleFile | Path) -> CandleSeries:
    """Read one file; rows that hold no numbers become `bad_rows`.

    Raises InputError naming file, field and value where a column is missing or the file cannot be read.
    """
    named = file if isinstance(file, CandleFile) else _named(file)
    try:
        text = named.path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{named.path}: cannot be read: {error}") from None
    lines = csv.reader(io.StringIO(text, newline=""))
    order = column_order(named.path, next(lines, list[str]()))
    rows = [(lines.line_num, row) for row in lines if row]
    fast = read_columns([row for _, row in rows], order)
    if fast is not None:
        return _series(named, *fast)
    return _read_rows(named, rows, order)


def merge_candles(parts: Iterable[CandleSeries]) -> CandleSeries:
    """Join files of one symbol and timeframe and sort by time, a later file's row after an earlier one's."""
    series = list(parts)
    ts = np.concatenate([each.ts for each in series])
    order = np.argsort(ts, kind="stable")
    values = np.stack(
        [np.concatenate([getattr(each, name) for each in series])[order] for name in "ohlcv"]
    )
    first = series[0]
    return CandleSeries(
        symbol=first.symbol, timeframe=first.timeframe, ts=ts[order],
        o=values[0], h=values[1], l=values[2], c=values[3], v=values[4],
        bad_rows=tuple(row for each in series for row in each.bad_rows),
    )


def column_order(path: Path, header: Sequence[str]) -> tuple[int, ...]:
    """Return where a header has each of COLUMNS; raises InputError naming the one it lacks."""
    names = [name.strip().lower() for name in header]
    for column in COLUMNS:
        if column not in names:
            raise InputError(f"{path}: column {column!r} is missing from the header {','.join(header)!r}")
    return tuple(names.index(column) for column in COLUMNS)


def read_columns(
    rows: Sequence[Sequence[str]], order: tuple[int, ...]
) -> tuple[Seconds, Floats] | None:
    """Read whole columns at once: opens, and open to volume as rows; None where a single cell needs a closer look."""
    width = max(order)
    if not rows:
        return np.empty(0, np.int64), np.empty((5, 0))
    if any(len(row) <= width for row in rows):
        return None
    columns = list(zip(*(row[: width + 1] for row in rows), strict=True))
    ts = _iso_column(columns[order[0]])
    if ts is None:
        return None
    try:
        values = np.array([columns[index] for index in order[1:]], dtype=object).astype(np.float64)
    except ValueError:
        return None
    plain = not any("_" in cell for index in order[1:] for cell in columns[index])
    return (ts, values) if plain and bool(np.isfinite(values).all()) else None


def _iso_column(cells: Sequence[str]) -> Seconds | None:
    if not all(_ISO_WITH_Z.fullmatch(cell) for cell in cells):
        return None
    try:
        moments = np.array([cell[:-1] for cell in cells], dtype="datetime64[s]").astype(np.int64)
    except ValueError:
        return None
    return moments if 0 <= int(moments.min()) and int(moments.max()) < LATEST_SECOND else None


def _read_rows(
    named: CandleFile, rows: Sequence[tuple[int, Sequence[str]]], order: tuple[int, ...]
) -> CandleSeries:
    moments: list[int] = []
    values: list[tuple[float, ...]] = []
    bad: list[BadRow] = []
    for line, row in rows:
        parsed = read_row(named.path, line, row, order)
        if isinstance(parsed, BadRow):
            bad.append(parsed)
        else:
            moments.append(parsed[0])
            values.append(parsed[1])
    table = np.array(values, dtype=np.float64).reshape(-1, 5).T
    return _series(named, np.array(moments, dtype=np.int64), table, tuple(bad))


def read_row(
    path: Path, line: int, row: Sequence[str], order: tuple[int, ...]
) -> tuple[int, tuple[float, ...]] | BadRow:
    """Read one row: its open, and open to volume; `order` is that of `column_order`."""
    cells = [row[index].strip() if index < len(row) else "" for index in order]
    raw = tuple(cells[1:])
    ts: int | None = None
    field, numbers = COLUMNS[0], list[float]()
    try:
        ts = parse_open_time(cells[0])
        for column, cell in zip(COLUMNS[1:], raw, strict=True):
            field = column
            numbers.append(parse_number(cell))
    except ValueError as error:
        value = cells[COLUMNS.index(field)]
        return BadRow(file=path, line=line, field=field, value=value, reason=str(error), ts=ts, raw=raw)
    return ts, tuple(numbers)


def parse_number(text: str) -> float:
    """Return the finite number in `text`; raises ValueError saying why there is none."""
    if not text:
        raise ValueError("is empty")
    try:
        # Python reads 1_0 as ten; no exchange writes that.
        number = float(text.replace("_", "?"))
    except ValueError:
        raise ValueError("is not a number") from None
    if not math.isfinite(number):
        raise ValueError("is not a finite number")
    return number


def parse_open_time(text: str) -> int:
    """Return epoch seconds of an ISO time (UTC where it names no zone) or of epoch seconds or milliseconds.

    Raises ValueError saying why it cannot be read.
    """
    if not text:
        raise ValueError("is empty")
    try:
        milliseconds = _milliseconds(text)
    except (ValueError, OverflowError):
        raise ValueError("is neither an ISO time nor epoch seconds or milliseconds") from None
    seconds, rest = divmod(milliseconds, 1000)
    if not 0 <= seconds < LATEST_SECOND:
        raise ValueError("lies outside 1970 to 2100")
    if rest:
        raise ValueError("is not a whole second")
    return seconds


def _milliseconds(text: str) -> int:
    if text.lstrip("-").isascii() and text.lstrip("-").isdigit():
        number = int(text)
        return number if abs(number) >= _MILLISECONDS_FROM else number * 1000
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400_000 + since.seconds * 1000 + math.ceil(since.microseconds / 1000)


def _series(
    named: CandleFile, ts: Seconds, values: Floats, bad: tuple[BadRow, ...] = ()
) -> CandleSeries:
    return CandleSeries(
        symbol=named.symbol, timeframe=named.timeframe, ts=ts,
        o=values[0], h=values[1], l=values[2], c=values[3], v=values[4], bad_rows=bad,
    )

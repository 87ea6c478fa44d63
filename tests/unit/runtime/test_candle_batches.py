"""Candle files, batch by batch: what is written reads back the same, and what cannot be read says where and why."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import arro3.core as core
import arro3.io as files
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tracker.domain.errors import InputError
from tracker.domain.timeframe import Timeframe
from tracker.runtime.candle_batches import csv_batches, files_to_import, write_csv
from tracker.runtime.candle_parquet import parquet_batches, write_parquet
from tracker.runtime.candles import COLUMNS, CandleFile
from tracker.runtime.parquet_reader import read_rows
from tracker.store.bars import BarTable

HEADER = ",".join((*COLUMNS, "vwap", "trades"))
MOMENT = 1_640_995_200
READERS = {".csv": (csv_batches, write_csv), ".parquet": (read_rows, write_parquet)}
FIELDS = ("ts", "open", "high", "low", "close", "volume", "vwap", "trades")

numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)
vwaps = st.floats(min_value=5e-324, allow_nan=False, allow_infinity=False) | st.just(math.nan)
bars = st.tuples(
    st.integers(0, 4_102_444_799), numbers, numbers, numbers, numbers, numbers, vwaps, st.integers(0, 2**31 - 1)
)


def table_of(rows: list[tuple[Any, ...]]) -> BarTable:
    kinds = dict.fromkeys(FIELDS, np.float64) | {"ts": np.int64, "trades": np.int32}
    columns = zip(*rows, strict=True) if rows else [()] * len(FIELDS)
    return BarTable(**{name: np.array(each, dtype=kinds[name]) for name, each in zip(FIELDS, columns, strict=True)})


@pytest.mark.parametrize("suffix", READERS)
@settings(max_examples=40)
@given(tables=st.lists(st.lists(bars, max_size=6), max_size=3), size=st.integers(1, 7))
def test_what_is_written_reads_back_bit_for_bit(
    suffix: str, tables: list[list[tuple[Any, ...]]], size: int
) -> None:
    read, write = READERS[suffix]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"BTC-USD_1m{suffix}"
        write(path, [table_of(rows) for rows in tables])
        batches = list(read(path, size))
    wanted = table_of([row for rows in tables for row in rows])
    assert [row for batch in batches for row in batch.bad_rows] == []
    for name in FIELDS:
        found = np.concatenate([np.empty(0, getattr(wanted, name).dtype), *(getattr(b.table, name) for b in batches)])
        assert found.tobytes() == getattr(wanted, name).tobytes(), name


CSV_ROWS = """2022-01-01T00:00:00Z,1,2,0.5,1.5,10,1.25,3
2022-01-01T00:01:00Z,abc,2,0.5,1.5,10,,

1640995320,1,2,0.5,1.5,10,x,99999999999
2022-01-01T00:03:00Z,1,2,0.5
"2022-01-01
00:04:00",1,2,0.5,1.5,10,-1,-1
yesterday,1,2,0.5,1.5,10,,
"""


def test_rows_of_a_csv_file_that_cannot_be_read_name_line_field_and_value(tmp_path: Path) -> None:
    path = tmp_path / "BTC-USD_1m.csv"
    path.write_text(f"{HEADER}\n{CSV_ROWS}")
    batches = list(csv_batches(path, 2))
    found = [(row.line, row.field, row.value, row.reason) for batch in batches for row in batch.bad_rows]
    assert found == [
        (3, "open", "abc", "is not a number"),
        (6, "close", "", "is empty"),
        (9, "ts", "yesterday", "is neither an ISO time nor epoch seconds or milliseconds"),
    ]
    assert [batch.lines.tolist() for batch in batches] == [[2], [5], [8], []]
    assert batches[0].table.vwap is not None
    assert batches[0].table.vwap.tolist() == [1.25]
    # A VWAP or count that cannot be is unknown, which is no reason to lose the bar.
    assert batches[1].table.vwap is not None
    assert batches[1].table.trades is not None
    assert (batches[1].table.ts.tolist(), batches[1].table.trades.tolist()) == ([MOMENT + 120], [0])
    assert math.isnan(batches[1].table.vwap[0])


def parquet(path: Path, **columns: Any) -> Path:
    usual: dict[str, Any] = {name: np.array([1.0, 2.0]) for name in COLUMNS[1:]}
    usual["ts"] = np.array([MOMENT, MOMENT + 60])
    made = {
        name: each if isinstance(each, core.Array) else core.Array.from_numpy(each)
        for name, each in {**usual, **columns}.items() if each is not None
    }
    files.write_parquet(core.Table.from_pydict(made), path)
    return path


def stamps(*micros: int) -> Any:
    return core.Array.from_numpy(np.array(micros)).cast(core.DataType.timestamp("us", tz="UTC"))


TEXT, TIME = core.DataType.string(), core.DataType.timestamp


@pytest.mark.parametrize("ts", [
    np.array([MOMENT, MOMENT + 60]),
    np.array([MOMENT, MOMENT + 60]) * 1000,
    core.Array(["2022-01-01T00:00:00Z", "2022-01-01 00:01"], type=TEXT),
    core.Array.from_numpy(np.array([MOMENT, MOMENT + 60]) * 1_000_000_000).cast(TIME("ns", tz="UTC")),
    core.Array.from_numpy(np.array([MOMENT, MOMENT + 60]) * 1000).cast(TIME("ms")),
])
def test_parquet_files_of_other_tools_may_hold_time_in_many_forms(tmp_path: Path, ts: Any) -> None:
    [batch] = read_rows(parquet(tmp_path / "BTC-USD_1m.parquet", ts=ts), 10)
    assert batch.bad_rows == ()
    assert batch.table.ts.tolist() == [MOMENT, MOMENT + 60]
    assert batch.table.trades is not None
    assert batch.table.trades.tolist() == [0, 0]


@pytest.mark.parametrize(("columns", "field", "value", "reason"), [
    ({"open": np.array([1.0, math.nan])}, "open", "nan", "is not a finite number"),
    ({"volume": core.Array([1.0, None], type=core.DataType.float64())}, "volume", "", "is empty"),
    ({"close": core.Array(["1", "x"], type=TEXT)}, "close", "x", "is not a number"),
    ({"ts": core.Array(["2022-01-01", "never"], type=TEXT)}, "ts", "never", "is neither an ISO time"),
    ({"ts": core.Array([MOMENT, None], type=core.DataType.int64())}, "ts", "", "is empty"),
    ({"ts": np.array([MOMENT, -60])}, "ts", "-60", "lies outside 1970 to 2100"),
    ({"ts": stamps(MOMENT * 1_000_000, 2**62)}, "ts", "148108-", "lies outside 1970 to 2100"),
    ({"ts": stamps(MOMENT * 1_000_000, 1)}, "ts", "1970-01-01T00:00:00.000001", "is not a whole second"),
    ({"close": core.Array(["1", " 2"], type=TEXT)}, "close", " 2", "is not a number"),
])
def test_rows_of_a_parquet_file_that_cannot_be_read_name_row_field_and_value(
    tmp_path: Path, columns: dict[str, Any], field: str, value: str, reason: str
) -> None:
    [batch] = read_rows(parquet(tmp_path / "BTC-USD_1m.parquet", **columns), 10)
    [row] = batch.bad_rows
    assert (row.line, row.field, row.value[: len(value)]) == (2, field, value)
    assert reason in row.reason
    assert (batch.lines.tolist(), len(batch.table)) == ([1], 1)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def _spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    length = int.from_bytes(data[-8:-4], "little")
    data[-8 - length : -8] = b"\xff" * length
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [
    _cut, _spoil, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"PAR1PAR1"),
    lambda path: path.write_bytes(b"PAR1" + b"\0" * 40 + b"PAR1"), lambda path: path.write_text("ts,open\n"),
    lambda path: parquet(path, close=None),
    lambda path: parquet(path, close=core.Array([b"1", b"\xff"], type=core.DataType.binary())),
])
def test_a_parquet_file_that_cannot_be_used_is_one_sentence(tmp_path: Path, harm: Any) -> None:
    path = parquet(tmp_path / "BTC-USD_1m.parquet")
    harm(path)
    with pytest.raises(InputError) as told:
        list(parquet_batches(path))
    assert str(told.value).startswith(f"{path}: ")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(("content", "words"), [
    (b"", "column 'ts' is missing"),
    (b"ts,open,high,low,volume\n", "column 'close' is missing from the header"),
    (b"ts,open,high,low,close,volume\n\xff\xfe\n", "cannot be read"),
    (b'ts,open,high,low,close,volume\n"' + b"x" * 200_000, "cannot be read: field larger"),
])
def test_a_csv_file_that_cannot_be_used_is_one_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "BTC-USD_1m.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as told:
        list(csv_batches(path))
    assert str(told.value).startswith(f"{path}: ")


def test_files_say_whose_bars_they_hold_unless_told(tmp_path: Path) -> None:
    for name in ("BTC-USD_1m_2022.parquet", "ETH-BTC_5m.csv", "notes.txt"):
        (tmp_path / name).touch()
    assert files_to_import([tmp_path]) == [
        CandleFile(path=tmp_path / "BTC-USD_1m_2022.parquet", symbol="BTC-USD", timeframe=Timeframe.M1),
        CandleFile(path=tmp_path / "ETH-BTC_5m.csv", symbol="ETH-BTC", timeframe=Timeframe.M5),
    ]
    other = tmp_path / "minutes.csv"
    other.touch()
    assert files_to_import([other], "BTC-USD", Timeframe.H1) == [
        CandleFile(path=other, symbol="BTC-USD", timeframe=Timeframe.H1)
    ]


@pytest.mark.parametrize(("name", "symbol", "words"), [
    ("nowhere.csv", None, "does not exist"),
    ("notes.txt", "BTC-USD", "neither a .csv nor a .parquet file"),
    ("BTC-USD_7m.csv", None, "file name 'BTC-USD_7m.csv' is not SYMBOL_TIMEFRAME"),
    ("minutes.csv", "BTC-USD", "file name 'minutes.csv' is not SYMBOL_TIMEFRAME"),
    ("BTC-USD_1m.csv", "btcusd", "--symbol: 'btcusd' is not BASE-QUOTE"),
    ("empty", None, "holds no file named"),
])
def test_a_path_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, name: str, symbol: str | None, words: str
) -> None:
    (tmp_path / "empty").mkdir()
    if name not in ("empty", "nowhere.csv"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=words):
        files_to_import([tmp_path / name], symbol)

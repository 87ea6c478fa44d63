"""The candle reader: every row is a candle or a bad row that says why."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tracker.domain.errors import InputError
from tracker.domain.timeframe import Timeframe
from tracker.runtime.candles import (
    COLUMNS,
    candle_files,
    merge_candles,
    parse_number,
    parse_open_time,
    read_candles,
)

HEADER = ",".join(COLUMNS)
GOOD = "2022-01-01T00:00:00Z,1,2,0.5,1.5,10"


def written(folder: Path, *rows: str, name: str = "BTC-USD_1m.csv", header: str = HEADER) -> Path:
    path = folder / name
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


def test_a_plain_file_is_read_whole(tmp_path: Path) -> None:
    series = read_candles(written(tmp_path, GOOD, "2022-01-01T00:01:00Z,1.5,2,1,1.25,1e3"))
    assert (series.symbol, series.timeframe, len(series)) == ("BTC-USD", Timeframe.M1, 2)
    assert series.ts.tolist() == [1_640_995_200, 1_640_995_260]
    assert [series.o[0], series.h[0], series.l[0], series.c[0], series.v[1]] == [1, 2, 0.5, 1.5, 1000]
    assert series.bad_rows == ()


def test_columns_may_come_in_any_order_with_others_between(tmp_path: Path) -> None:
    path = written(
        tmp_path, "10,x,1.5,0.5,2,1,2022-01-01T00:00:00Z", header="Volume,note,close,low,high,open,ts"
    )
    series = read_candles(path)
    assert [series.o[0], series.h[0], series.l[0], series.c[0], series.v[0]] == [1, 2, 0.5, 1.5, 10]


@pytest.mark.parametrize(
    ("row", "field", "value", "reason"),
    [
        ("2022-01-01T00:00:00Z,abc,2,0.5,1.5,10", "open", "abc", "is not a number"),
        ("2022-01-01T00:00:00Z,1,,0.5,1.5,10", "high", "", "is empty"),
        ("2022-01-01T00:00:00Z,1,2,nan,1.5,10", "low", "nan", "is not a finite number"),
        ("2022-01-01T00:00:00Z,1,2,0.5,1e999,10", "close", "1e999", "is not a finite number"),
        ("2022-01-01T00:00:00Z,1,2,0.5,1.5,1_0", "volume", "1_0", "is not a number"),
        ("2022-01-01T00:00:00Z,1,2,0.5", "close", "", "is empty"),
        ("yesterday,1,2,0.5,1.5,10", "ts", "yesterday", "is neither an ISO time nor epoch"),
        ("2022-13-01T00:00:00Z,1,2,0.5,1.5,10", "ts", "2022-13-01T00:00:00Z", "is neither an ISO time"),
        ("1640995200500,1,2,0.5,1.5,10", "ts", "1640995200500", "is not a whole second"),
        ("99999999999999999,1,2,0.5,1.5,10", "ts", "99999999999999999", "lies outside 1970 to 2100"),
        (",1,2,0.5,1.5,10", "ts", "", "is empty"),
    ],
)
def test_a_row_without_numbers_is_kept_as_a_bad_row(
    tmp_path: Path, row: str, field: str, value: str, reason: str
) -> None:
    series = read_candles(written(tmp_path, GOOD, row, "2022-01-01T00:02:00Z,1,2,0.5,1.5,10"))
    assert len(series) == 2
    (bad,) = series.bad_rows
    assert (bad.line, bad.field, bad.value) == (3, field, value)
    assert bad.reason.startswith(reason)
    assert (bad.ts is None) == (field == "ts")
    assert len(bad.raw) == 5


def test_impossible_but_readable_bars_stay_in_the_series(tmp_path: Path) -> None:
    series = read_candles(written(tmp_path, "2022-01-01T00:00:30Z,-1,0,5,1,-3"))
    assert [series.o[0], series.h[0], series.l[0], series.v[0]] == [-1, 0, 5, -3]
    assert series.ts[0] % 60 == 30


@pytest.mark.parametrize(
    "text",
    [
        "2022-01-01T00:00:00Z", "2022-01-01 00:00:00", "2022-01-01T01:00:00+01:00", "1640995200",
        "1640995200000",
    ],
)
def test_all_ways_of_writing_a_time_agree(text: str) -> None:
    assert parse_open_time(text) == 1_640_995_200


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_back_as_written(number: float) -> None:
    assert parse_number(repr(number)) == number


@given(st.text(max_size=12))
def test_any_text_is_a_finite_number_or_says_why_not(text: str) -> None:
    try:
        number = parse_number(text)
    except ValueError as error:
        assert str(error).startswith("is ")  # noqa: PT017 - either outcome is right
    else:
        assert math.isfinite(number)


@given(st.text(max_size=24))
def test_any_text_is_a_time_or_says_why_not(text: str) -> None:
    try:
        seconds = parse_open_time(text)
    except ValueError as error:
        assert str(error).split()[0] in ("is", "lies")  # noqa: PT017 - either outcome is right
    else:
        assert 0 <= seconds < 4_102_444_800


@given(
    st.lists(
        st.tuples(st.integers(0, 10**6), *[st.floats(allow_nan=False, allow_infinity=False)] * 5),
        max_size=20,
    )
)
def test_both_ways_of_reading_agree(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[float, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("agree")
    iso = [
        ",".join([str(np.datetime64(int(row[0]) * 60, "s")) + "Z", *map(repr, row[1:])]) for row in rows
    ]
    quick = read_candles(written(folder, *iso))
    careful = read_candles(written(folder, *iso, "never,1,1,1,1,1", name="BTC-USD_1m_bad.csv"))
    assert len(careful.bad_rows) == 1
    for name in ("ts", "o", "h", "l", "c", "v"):
        assert np.array_equal(getattr(quick, name), getattr(careful, name))


def test_a_missing_column_names_file_and_header(tmp_path: Path) -> None:
    path = written(tmp_path, header="ts,open,high,low,vol")
    with pytest.raises(InputError, match=r"_1m\.csv: column 'close' is missing .*ts,open,high,low,vol"):
        read_candles(path)


def test_an_empty_file_has_no_columns_and_a_header_alone_no_candles(tmp_path: Path) -> None:
    (tmp_path / "ETH-USD_1h.csv").write_text("")
    with pytest.raises(InputError, match="column 'ts'"):
        read_candles(tmp_path / "ETH-USD_1h.csv")
    assert len(read_candles(written(tmp_path))) == 0


@pytest.mark.parametrize("name", ["BTC_1m.csv", "BTC-USD_2m.csv", "BTC-USD.csv", "btc-usd_1m.csv"])
def test_an_unreadable_name_is_named(tmp_path: Path, name: str) -> None:
    written(tmp_path, GOOD, name=name)
    with pytest.raises(InputError, match=name):
        candle_files(tmp_path)


def test_files_are_found_by_symbol(tmp_path: Path) -> None:
    for name in ("BTC-USD_1m_a.csv", "BTC-USD_1h.csv", "ETH-BTC_5m_x_y.csv"):
        written(tmp_path, GOOD, name=name)
    (tmp_path / "notes.txt").write_text("not a candle")
    assert [(file.symbol, str(file.timeframe)) for file in candle_files(tmp_path)] == [
        ("BTC-USD", "1h"), ("BTC-USD", "1m"), ("ETH-BTC", "5m")
    ]
    assert [file.path.name for file in candle_files(tmp_path, ["ETH-BTC"])] == ["ETH-BTC_5m_x_y.csv"]
    with pytest.raises(InputError, match="SOL-USD"):
        candle_files(tmp_path, ["ETH-BTC", "SOL-USD"])
    with pytest.raises(InputError, match="does not exist"):
        candle_files(tmp_path / "nowhere")


def test_merged_files_are_in_order_of_time(tmp_path: Path) -> None:
    later = read_candles(written(tmp_path, "2022-01-01T00:05:00Z,5,5,5,5,5", name="BTC-USD_1m_b.csv"))
    earlier = read_candles(written(tmp_path, GOOD, "bad,1,1,1,1,1", name="BTC-USD_1m_a.csv"))
    merged = merge_candles([later, earlier])
    assert merged.o.tolist() == [1, 5]
    assert len(merged.bad_rows) == 1


def test_the_real_candles_are_read_without_a_bad_row(shared_candles: Path) -> None:
    for file in candle_files(shared_candles):
        series = read_candles(file)
        assert len(series) > 0
        assert series.bad_rows == ()
        assert (np.diff(series.ts) > 0).all()

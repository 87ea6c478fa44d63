"""Bars from files into the database and back: exact, corrected with the old bar kept, and rolled up once."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pandas as pd
import pytest
from pydantic import SecretStr
from rich.console import Console
from tracker.domain.errors import InputError
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.store.bars import advance_watermark
from tracker.store.database import Database

from services.control.exporting import ExportRequest, FileFormat, export_candles
from services.control.importing import import_candles
from services.control.settings import ControlSettings

OpenDatabase: TypeAlias = Callable[[str | None], Awaitable[Database]]
HEADER = "ts,open,high,low,close,volume,vwap,trades"
START = datetime(2024, 3, 1, tzinfo=UTC)
AGGREGATES = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
Row: TypeAlias = tuple[datetime, float, float, float, float, float]


def minute(number: int, *, close: float | None = None) -> Row:
    """Return a bar; volumes are such that their sums are exact."""
    price = 100 + 7 * math.sin(number / 50)
    last = price * 1.001 if close is None else close
    high, low = max(price, last) * 1.01, min(price, last) * 0.99
    return START + timedelta(minutes=number), price, high, low, last, 0.5 + number


def written(path: Path, rows: Sequence[Row | str]) -> Path:
    path.parent.mkdir(exist_ok=True)
    lines = [row if isinstance(row, str) else ",".join([row[0].isoformat(), *map(repr, row[1:])]) for row in rows]
    path.write_text("\n".join([HEADER, *lines, ""]))
    return path


class Desk:
    """A person with a database and files."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.settings = ControlSettings(database_url=SecretStr(url), state_dir=folder / "state")

    async def take(self, *paths: Path, symbol: str | None = None) -> list[dict[str, Any]]:
        report = await asyncio.to_thread(
            import_candles, self.settings, paths, symbol, None, Console(stderr=True, quiet=True)
        )
        return report["files"]

    async def write(self, out: str, file_format: FileFormat, timeframe: Timeframe = Timeframe.M1) -> Path:
        request = ExportRequest(
            symbols=("BTC-USD",), timeframe=timeframe, first=EPOCH, end=datetime(2100, 1, 1, tzinfo=UTC),
            format=file_format, out=self.folder / out,
        )
        report = await asyncio.to_thread(export_candles, self.settings, request, Console(stderr=True, quiet=True))
        [file] = report["files"]
        return Path(file["file"])

    async def rows(self, query: str, *arguments: object) -> list[Any]:
        connection = await asyncpg.connect(self.url)
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    async def stored(self, timeframe: str) -> dict[datetime, Row]:
        found = await self.rows(
            "SELECT ts, open, high, low, close, volume FROM tracker.ohlc_data WHERE timeframe = $1 ORDER BY ts",
            timeframe,
        )
        return {row[0]: tuple(row) for row in found}

    async def check_roll_ups(self, minutes: Mapping[datetime, Row]) -> None:
        """Raise AssertionError where a coarse bar is not what its minutes say, or is none of theirs."""
        frame = pd.DataFrame(list(minutes.values()), columns=["ts", *AGGREGATES]).set_index("ts")
        assert await self.stored("1m") == dict(minutes)
        for timeframe in (Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.D1):
            rolled = frame.resample(timeframe.duration).agg(AGGREGATES).dropna()
            wanted = {row[0].to_pydatetime(): (row[0].to_pydatetime(), *row[1:]) for row in rolled.itertuples()}
            assert await self.stored(timeframe) == wanted, timeframe

    async def revisions(self, timeframe: str) -> list[tuple[datetime, float | None, int]]:
        found = await self.rows(
            "SELECT ts, close, revision FROM tracker.bar_revisions WHERE timeframe = $1 ORDER BY ts, revision",
            timeframe,
        )
        return [tuple(row) for row in found]


@pytest.fixture
def desk(database_url: str, tmp_path: Path) -> Desk:
    return Desk(database_url, tmp_path)


@pytest.mark.parametrize("file_format", FileFormat)
async def test_what_was_exported_is_imported_as_the_same(desk: Desk, file_format: FileFormat) -> None:
    odd = "2024-03-01T00:00:00Z,0.1,0.30000000000000004,5e-324,0.1,1e-7,0.2,2147483647"
    rows: list[Row | str] = [odd, *(minute(each) for each in range(1, 300) if each % 7)]
    await desk.take(written(desk.folder / "BTC-USD_1m.csv", rows))
    everything = "SELECT ts, open, high, low, close, volume, vwap, trades FROM tracker.ohlc_data WHERE timeframe = '1m'"
    before = await desk.rows(everything)
    path = await desk.write("one", file_format)
    [again] = await desk.take(path)
    assert (again["rows"], again["unchanged"], again["rejected"], again["rolled_up"]) == (len(rows), len(rows), 0, 0)
    await desk.rows("TRUNCATE tracker.ohlc_data, tracker.latest_bar")
    [anew] = await desk.take(path)
    assert (anew["new"], anew["rejected"]) == (len(rows), 0)
    assert sorted(await desk.rows(everything)) == sorted(before)
    assert (await desk.write("two", file_format)).read_bytes() == path.read_bytes()


async def test_minutes_bring_the_coarser_bars_they_make_up(desk: Desk) -> None:
    # From 00:07 on the first bucket is not whole; the hole within is minutes without trades.
    rows = [minute(each) for each in range(7, 2 * 1440 + 9) if not 100 <= each < 140]
    [file] = await desk.take(written(desk.folder / "BTC-USD_1m_2024-03.csv", rows[::-1]))
    assert (file["new"], file["corrected"], file["rejected"]) == (len(rows), 0, 0)
    fives = await desk.stored("5m")
    assert (min(fives), max(fives)) == (START + timedelta(minutes=10), START + timedelta(minutes=2 * 1440))
    assert list(await desk.stored("1d")) == [START + timedelta(days=1)]
    [rest] = await desk.take(written(desk.folder / "BTC-USD_1m_before.csv", [minute(each) for each in range(7)]))
    assert rest["rolled_up"] == 5
    minutes = {row[0]: row for row in (minute(each) for each in range(2 * 1440)) if not 100 <= (
        row[0] - START
    ) // Timeframe.M1.duration < 140}
    ends = START + timedelta(days=2)
    await desk.rows("DELETE FROM tracker.ohlc_data WHERE ts >= $1", ends)
    await desk.check_roll_ups(minutes)


async def test_a_correction_keeps_the_old_bar_and_rolls_up_again(desk: Desk) -> None:
    minutes = {row[0]: row for row in map(minute, range(1440)) if row[0] != START + timedelta(minutes=200)}
    await desk.take(written(desk.folder / "BTC-USD_1m.csv", list(minutes.values())))
    assert await desk.revisions("1m") == []
    changed, late = minute(601, close=500.0), minute(200)
    old = minutes[changed[0]][4]
    [file] = await desk.take(written(desk.folder / "BTC-USD_1m_late.csv", [changed, late, minute(602)]))
    assert (file["new"], file["corrected"], file["unchanged"], file["rolled_up"]) == (1, 1, 1, 7)
    minutes |= {changed[0]: changed, late[0]: late}
    await desk.check_roll_ups(dict(sorted(minutes.items())))
    assert await desk.revisions("1m") == [(changed[0], old, 1)]
    assert [revision for _, _, revision in await desk.revisions("1d")] == [1]
    assert [ts for ts, _, _ in await desk.revisions("1h")] == [START + timedelta(hours=each) for each in (3, 10)]
    [row] = await desk.rows(
        "SELECT revision, source::text FROM tracker.ohlc_data WHERE timeframe = '1m' AND ts = $1", changed[0]
    )
    assert tuple(row) == (1, "import")
    [file] = await desk.take(desk.folder / "BTC-USD_1m_late.csv")
    assert (file["unchanged"], file["rolled_up"]) == (3, 0)


async def test_bars_of_a_vendor_give_way_to_minutes_that_make_them_up(desk: Desk) -> None:
    """In whichever order files come, a coarse bar never says other than the minutes under it."""
    minutes = {row[0]: row for row in map(minute, range(1440))}
    coarse = [(START + timedelta(minutes=each), 1.0, 2.0, 0.5, 1.5, 9.0) for each in range(0, 1440, 15)]
    outside = (START + timedelta(days=3), 1.0, 2.0, 0.5, 1.5, 9.0)
    file = written(desk.folder / "BTC-USD_15m.csv", [*coarse, outside])
    await desk.take(file)
    await desk.take(written(desk.folder / "BTC-USD_1m.csv", list(minutes.values())))
    assert len(await desk.revisions("15m")) == len(coarse)
    [again] = await desk.take(file)
    assert (again["unchanged"], again["corrected"]) == (len(coarse) + 1, 0)
    # A few minutes do not make up a bar of the vendor's.
    await desk.take(written(desk.folder / "BTC-USD_1m_some.csv", [minute(3 * 1440 + each) for each in (2, 3)]))
    assert (await desk.stored("15m"))[outside[0]] == outside
    await desk.rows("DELETE FROM tracker.ohlc_data WHERE ts >= $1", outside[0])
    await desk.check_roll_ups(minutes)


async def test_what_comes_late_into_closed_buckets_is_told(desk: Desk, open_database: OpenDatabase) -> None:
    await desk.take(written(desk.folder / "BTC-USD_1m.csv", [minute(each) for each in range(60)]))
    database = await open_database("data_collector")
    closed = {Timeframe.M1: 95, Timeframe.M5: 95, Timeframe.M15: 90, Timeframe.H1: 60, Timeframe.D1: 0}
    async with database.transaction() as transaction:
        for timeframe, through in closed.items():
            await advance_watermark(transaction, timeframe, START, START + timedelta(minutes=through))
        await transaction.commit()
    await desk.take(written(desk.folder / "BTC-USD_1m_more.csv", [minute(each) for each in range(60, 120)]))
    late = [ts for ts, close, revision in await desk.revisions("1m") if close is None and revision == 0]
    assert late == [START + timedelta(minutes=each) for each in range(60, 95)]
    # The buckets after that are the running fleet's to close.
    assert [ts for ts, _, _ in await desk.revisions("15m")] == [START + timedelta(minutes=each) for each in (60, 75)]
    counts = {frame: len(await desk.stored(frame)) for frame in Timeframe}
    assert counts == {"1m": 120, "5m": 19, "15m": 6, "1h": 1, "1d": 0}


BAD = [
    minute(0),
    "2024-03-01T00:01:00Z,abc,101,99,100,1,,",
    "2024-03-01T00:02:00Z,100,90,99,100,1,,",
    "2024-03-01T00:02:30Z,100,101,99,100,1,,",
    "2199-01-01T00:00:00Z,100,101,99,100,1,,",
    "2098-01-01T00:00:00Z,100,101,99,100,1,,",
    "2024-03-01T00:03:00Z,100,101,99,100,-1,,",
    "2024-03-01T00:04:00Z,100,101,99,10\0,1,,",
    minute(5),
]


async def test_bad_rows_are_kept_with_the_reason_and_the_rest_goes_on(desk: Desk) -> None:
    path = written(desk.folder / "BTC-USD_1m.csv", BAD)
    for _ in range(2):
        [file] = await desk.take(path)
        assert (file["rows"], file["rejected"]) == (9, 7)
    assert list(await desk.stored("1m")) == [START, START + timedelta(minutes=5)]
    found = await desk.rows("SELECT source, symbol, timeframe, reason FROM tracker.rejected_bars ORDER BY reason")
    assert {tuple(row)[:3] for row in found} == {("import BTC-USD_1m.csv", "BTC-USD", "1m")}
    assert [row["reason"] for row in found] == [
        "line 3: open = 'abc' is not a number",
        "line 4: high is 90.0, below the bar's own open, close or low",
        "line 5: ts is 2024-03-01T00:02:30+00:00, not the start of a 1m bucket",
        "line 6: ts = '2199-01-01T00:00:00Z' lies outside 1970 to 2100",
        "line 7: ts is 2098-01-01T00:00:00+00:00, a bar that closes in the future",
        "line 8: volume is -1.0, it must be a finite number of at least 0",
        "line 9: close = '10\\x00' is not a number",
    ]
    assert len(file["examples"]) == 7
    assert file["examples"][0].startswith("line 3: open = 'abc' is not a number")


async def test_files_of_symbols_that_no_vendor_is_asked_for(desk: Desk, shared_candles: Path) -> None:
    names = ["BTC-USDT_15m", "BTC-USDT_1d", "BTC-USDT_1h", "BTC-USDT_1m"]
    paths = [shared_candles / f"{name}_2018_exchange-made.csv" for name in names]
    files = await desk.take(*paths)
    assert [(file["rows"], file["new"], file["rejected"]) for file in files] == [
        (500, 500, 0), (255, 255, 0), (500, 500, 0), (502, 502, 0)
    ]
    # What the exchange made of its minutes is what they are rolled up to; its last quarter was not over.
    revised = await desk.rows("SELECT timeframe::text, ts FROM tracker.bar_revisions")
    assert [tuple(row) for row in revised] == [("15m", datetime(2018, 4, 28, 10, tzinfo=UTC))]
    [row] = await desk.rows("SELECT symbol, status, base_timeframe::text FROM tracker.symbols")
    assert tuple(row) == ("BTC-USDT", "unsupported", "1m")


@pytest.mark.parametrize(("name", "content", "words"), [
    ("BTC-USD_1m.csv", b"ts,open\n", "column 'high' is missing"),
    ("BTC-USD_1m.parquet", b"PAR1 and nothing else", "not a whole Parquet file"),
    ("BTC_1m.csv", b"", "is not SYMBOL_TIMEFRAME"),
])
async def test_a_file_that_cannot_be_used_is_named(desk: Desk, name: str, content: bytes, words: str) -> None:
    path = desk.folder / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as told:
        await desk.take(path)
    assert str(told.value).startswith(str(path))


async def test_an_export_names_what_it_cannot_find(desk: Desk) -> None:
    with pytest.raises(InputError, match="--symbols: 'BTC-USD' is not in the database"):
        await desk.write("out", FileFormat.CSV)
    await desk.take(written(desk.folder / "BTC-USD_1m.csv", [minute(0)]))
    (desk.folder / "file").touch()
    with pytest.raises(InputError, match=r"--out: .*file cannot be made"):
        await desk.write("file", FileFormat.CSV)
    assert list((desk.folder).glob("**/*.part")) == []

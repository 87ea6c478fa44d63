"""Candles replayed by the exchange arrive as written; roll-ups are what pandas makes of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from tracker.domain.timeframe import Timeframe
from tracker.testing.exchange import Start

from tests.integration.data_collector.collector_station import Station, moment

if TYPE_CHECKING:
    from tests.integration.data_collector.conftest import MakeStation

COLUMNS = ["open", "high", "low", "close", "volume"]
AGGREGATES = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
# Of a frame only the values count and the moments at which they stand.
LOOSE: dict[str, Any] = dict.fromkeys(("check_names", "check_freq", "check_dtype", "check_index_type"), False)
BROKEN = """ts,open,high,low,close,volume
2022-01-01T00:00:00Z,100,102,99,101,5
2022-01-01T00:01:00Z,101,90,100,101,5
2022-01-01T00:02:00Z,abc,103,100,102,5
2022-01-01T00:03:00Z,102,104,101,103,2.5
2022-01-01T00:04:00Z,103,105,102,-104,1
2022-01-01T00:05:00Z,103,105,102,104,1
2022-01-01T00:06:00Z,104,106,103,105,-3
2022-01-01T00:07:00Z,9000,9100,8900,9000,3
2022-01-01T00:08:00Z,104,106,103,105,3
"""


def cut(source: Path, folder: Path, rows: int) -> pd.DataFrame:
    """Copy the first rows of a candle file and return them."""
    lines = source.read_text().splitlines()[: rows + 1]
    (folder / source.name).write_text("\n".join(lines) + "\n")
    return pd.read_csv(folder / source.name, parse_dates=["ts"], index_col="ts")


async def frame_of(station: Station, symbol: str, timeframe: str) -> pd.DataFrame:
    stored = await station.stored(symbol, timeframe)
    return pd.DataFrame(stored.values(), index=pd.DatetimeIndex(stored.keys()), columns=COLUMNS)


@pytest.mark.parametrize("name", ["BTC-PERP_1m_2022-01.csv", "ALT-BTC_1m_2017-11_gaps.csv"])
async def test_every_candle_is_stored_and_rolled_up(
    start_exchange: Start, make_station: MakeStation, shared_candles: Path, tmp_path: Path, name: str
) -> None:
    symbol = name.partition("_")[0]
    candles = cut(shared_candles / name, tmp_path, 2_000)
    first: datetime = candles.index[0].to_pydatetime()
    end: datetime = candles.index[-1].to_pydatetime() + timedelta(minutes=1)
    exchange = start_exchange("--clock", "paced", "--candles", str(tmp_path), "--start", first.isoformat())
    station = await make_station(exchange, symbols=(symbol, "MOG-USD"), history_from=first, history_to=end)
    async with station.running():
        await station.connected()
        for part in (0.3, 0.8, 1.0):
            await station.advance_to(Timeframe.M1.floor(first + part * (end - first)))
        await station.closed(end)
    pd.testing.assert_frame_equal(await frame_of(station, symbol, "1m"), candles, check_exact=True, **LOOSE)
    for timeframe in (Timeframe.M5, Timeframe.M15, Timeframe.H1, Timeframe.D1):
        wanted = pd.DataFrame(candles.resample(timeframe.duration).agg(AGGREGATES)).dropna()
        pd.testing.assert_frame_equal(await frame_of(station, symbol, timeframe), wanted, rtol=1e-12, **LOOSE)
    marks = await station.watermarks()
    assert {each.timeframe: (each.opened_at, each.closed_through) for each in marks.values()} == {
        frame: (frame.floor(first), frame.floor(end)) for frame in Timeframe
    }
    await station.check_latest()
    assert await station.rejections() == []
    assert station.detail["unsupported"] == {"MOG-USD": "polygon does not list X:MOGUSD"}


async def test_impossible_and_unreadable_candles_are_rejected_and_the_rest_goes_on(
    start_exchange: Start, make_station: MakeStation, tmp_path: Path
) -> None:
    (tmp_path / "BTC-PERP_1m.csv").write_text(BROKEN)
    first = moment("2022-01-01T00:00:00Z")
    exchange = start_exchange("--clock", "paced", "--candles", str(tmp_path), "--start", first.isoformat())
    station = await make_station(exchange, symbols=("BTC-PERP",), history_from=first)
    async with station.running():
        await station.connected()
        await station.advance(7)
        await station.advance(2)
        await station.closed(first + timedelta(minutes=9))
    stored = await station.stored("BTC-PERP")
    # The exchange's history confirms the jump at 00:07, and what it confirms is believed.
    assert [ts.minute for ts in stored] == [0, 3, 5, 7, 8]
    rejected = await station.rejections()
    assert [(row["ts"].minute, row["reason"]) for row in rejected] == [
        (1, "high is 90.0, below the bar's own open, close or low"),
        (2, "o is 'abc', a number was expected"),
        (4, "close is -104.0, a price must be a finite number above 0"),
        (6, "volume is -3.0, it must be a finite number of at least 0"),
        (7, "close is 9000.0, an absurd jump from 104.0 before it"),
    ]
    assert all(row["symbol"] == "BTC-PERP" and row["frame"] for row in rejected)
    [five] = [bar for ts, bar in (await station.stored("BTC-PERP", "5m")).items() if ts == first]
    assert five == (100, 104, 99, 103, 7.5)

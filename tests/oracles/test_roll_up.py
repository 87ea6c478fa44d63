"""Rolling the exchange's minutes up gives the exchange's own bars."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tracker.domain.timeframe import Timeframe
from tracker.store.bars import BarTable, roll_up
from tracker.store.database import Database
from tracker.store.imports import merge_history
from tracker.store.readers import read_range
from tracker.store.symbols import read_symbols, write_symbols
from tracker.testing.builders import make_instrument

OpenDatabase = Callable[[str | None], Awaitable[Database]]


def table_of(frame: pd.DataFrame) -> BarTable:
    seconds = frame.index.astype("datetime64[s, UTC]").astype(np.int64).to_numpy()
    columns = {name: frame[name].to_numpy() for name in ("open", "high", "low", "close", "volume")}
    return BarTable(ts=seconds, **columns)


def read_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, parse_dates=["ts"], index_col="ts")


@pytest.mark.parametrize("timeframe", [Timeframe.M15, Timeframe.H1])
async def test_minutes_equal_the_exchange_made_bars_where_they_overlap(
    shared_candles: Path, open_database: OpenDatabase, timeframe: Timeframe
) -> None:
    minutes = read_csv(shared_candles / "BTC-USDT_1m_2018_exchange-made.csv")
    made = read_csv(shared_candles / f"BTC-USDT_{timeframe}_2018_exchange-made.csv")
    database = await open_database("data_collector")
    async with database.transaction() as transaction:
        await write_symbols(transaction, [make_instrument("BTC-USDT")])
        [instrument] = await read_symbols(transaction)
        await merge_history(transaction, instrument.symbol_id, Timeframe.M1, table_of(minutes))
        first, last = minutes.index[0].to_pydatetime(), minutes.index[-1].to_pydatetime()
        await roll_up(transaction, timeframe, timeframe.floor(first), timeframe.close_of(timeframe.floor(last)))
        window = await read_range(
            transaction, timeframe, datetime(2018, 1, 1, tzinfo=UTC), datetime(2019, 1, 1, tzinfo=UTC)
        )
    rolled = window[instrument.symbol_id]
    whole = minutes.resample(timeframe.duration).size() == timeframe.seconds // 60
    stamps = pd.to_datetime(rolled.ts, unit="s", utc=True)
    common = [stamp for stamp in stamps if stamp in made.index and whole.get(stamp, False)]
    assert len(common) >= 6
    ours = pd.DataFrame(
        {name: getattr(rolled, name) for name in ("open", "high", "low", "close", "volume")}, index=stamps
    ).loc[common]
    theirs = made.loc[common]
    for name in ("open", "high", "low", "close"):
        assert (ours[name] == theirs[name]).all(), name
    assert np.allclose(ours["volume"], theirs["volume"], rtol=1e-9, atol=0)

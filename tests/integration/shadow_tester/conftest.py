"""A market with features, and a shadow tester's house in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from shadow_house import DAYS, HISTORY, OPENED, ShadowHouse
from tracker.runtime.candles import read_candles
from tracker.store.bars import BarTable
from tracker.store.database import Database

END = OPENED + timedelta(days=DAYS)


@pytest.fixture(scope="session")
def minutes(shared_candles: Path) -> BarTable:
    """A month of real minutes."""
    candles = read_candles(shared_candles / "BTC-PERP_1m_2022-01.csv")
    return BarTable(ts=candles.ts, open=candles.o, high=candles.h, low=candles.l, close=candles.c, volume=candles.v)


@pytest.fixture
async def house(
    open_database: Callable[[str | None], Awaitable[Database]], minutes: BarTable, tmp_path: Path
) -> ShadowHouse:
    """Three symbols with five days of closes that wait to be tried."""
    found = ShadowHouse.of(await open_database(None), await open_database("feature_calculator"), minutes, tmp_path)
    await found.trade(["AAA-USD", "BTC-USD", "CCC-USD"], HISTORY, END)
    await found.close(END)
    return found


@pytest.fixture
async def shadow(open_database: Callable[[str | None], Awaitable[Database]]) -> Database:
    """The database as the shadow tester may use it."""
    return await open_database("shadow_tester")

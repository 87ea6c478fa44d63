"""The newest bars, windows and spans, across months and the archive."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.store.bar_arrays import BarMatrix
from tracker.store.bars import BarTable, roll_up
from tracker.store.readers import (
    read_first_open,
    read_latest,
    read_range,
    read_span,
    read_symbol_range,
    read_whole_range,
    read_window,
)
from tracker.testing.builders import START

from .conftest import COLUMNS, FEBRUARY, MARCH, Shelf, minute

M1 = Timeframe.M1
UNKNOWN = 31_000


def same(table: BarTable, columns: dict[str, list[Any]]) -> None:
    assert {name: getattr(table, name).tolist() for name in COLUMNS} == columns


def between(columns: dict[str, list[Any]], first: int, end: int) -> dict[str, list[Any]]:
    """Return the rows of the minutes [first, end)."""
    low, high = minute(first).timestamp(), minute(end).timestamp()
    chosen = [n for n, ts in enumerate(columns["ts"]) if low <= ts < high]
    return {name: [values[n] for n in chosen] for name, values in columns.items()}


def row(matrix: BarMatrix, symbol_id: int) -> dict[str, list[Any]]:
    """Return one symbol's bars of a window, checking what stands where there is none."""
    index = matrix.symbol_ids.tolist().index(symbol_id)
    count = int(matrix.counts[index])
    width = matrix.ts.shape[1]
    assert not matrix.ts[index, : width - count].any()
    assert np.isnan(matrix.close[index, : width - count]).all()
    return {name: getattr(matrix, name)[index, width - count :].tolist() for name in COLUMNS}


async def test_the_newest_bar_of_each_symbol(shelf: Shelf) -> None:
    await shelf.put("BTC-USD", [0, 1, 2])
    await shelf.put("SOL-USD", [7], close=5.0)
    await shelf.put("BTC-USD", [1], close=50.0)
    async with shelf.database.transaction() as transaction:
        everything = await read_latest(transaction, M1)
        one = await read_latest(transaction, M1, [shelf.ids["SOL-USD"], UNKNOWN])
        none = await read_latest(transaction, Timeframe.H1)
    assert everything.symbol_ids.tolist() == [shelf.ids["BTC-USD"], shelf.ids["SOL-USD"]]
    assert everything.ts.tolist() == [minute(2).timestamp(), minute(7).timestamp()]
    assert everything.close.tolist() == [102.0, 5.0]
    assert everything.rewrites.tolist() == [1, 0]
    assert one.close.tolist() == [5.0]
    assert len(none) == 0


@pytest.mark.parametrize("archived", [(), (FEBRUARY,), (FEBRUARY, MARCH), (MARCH,)])
@pytest.mark.parametrize("is_reopened", [False, True])
async def test_a_span_reads_the_same_wherever_its_months_lie(
    shelf: Shelf, archived: tuple[datetime, ...], is_reopened: bool
) -> None:
    await shelf.put("BTC-USD", range(-40, 40))
    await shelf.put("ETH-USD", range(-3, 3))
    await shelf.close_months()
    for month in archived:
        await shelf.archive(month)
    if is_reopened:
        await shelf.put("BTC-USD", [-41, -5])
    expected = {name: await shelf.plain(name) for name in ("BTC-USD", "ETH-USD")}
    assert len(expected["BTC-USD"]["ts"]) == 80 + is_reopened
    bitcoin, ether = shelf.ids["BTC-USD"], shelf.ids["ETH-USD"]
    async with shelf.database.transaction() as transaction:
        for first, end in ((-50, 50), (-10, 10), (-10, 0), (0, 10), (5, 5), (60, 70)):
            span = minute(first), minute(end)
            wanted = between(expected["BTC-USD"], first, end)
            same(await read_symbol_range(transaction, bitcoin, M1, *span), wanted)
            whole = await read_whole_range(transaction, bitcoin, M1, *span)
            same(whole, wanted)
            assert whole.trades is not None
            assert whole.trades.tolist() == [3] * len(whole)
            tables = await read_range(transaction, M1, *span)
            assert set(tables) == {number for number, name in ((bitcoin, "BTC-USD"), (ether, "ETH-USD"))
                                   if between(expected[name], first, end)["ts"]}  # fmt: skip
            for number, table in tables.items():
                same(table, between(expected["BTC-USD" if number == bitcoin else "ETH-USD"], first, end))
            assert list(await read_range(transaction, M1, *span, [ether, UNKNOWN])) == [ether] * (ether in tables)
        window = await read_window(transaction, M1, 60)
        same_window = {name: values[-60:] for name, values in expected["BTC-USD"].items()}
        assert row(window, bitcoin) == same_window
        assert row(window, ether) == expected["ETH-USD"]
        oldest = minute(-41 if is_reopened else -40)
        assert await read_span(transaction, bitcoin, M1, EPOCH, minute(39)) == (oldest, minute(38))
        assert await read_first_open(transaction, M1, minute(-100), minute(100)) == oldest
        assert await read_first_open(transaction, M1, minute(-2), minute(100)) == minute(-2)


async def test_nothing_is_found_where_nothing_is(shelf: Shelf) -> None:
    async with shelf.database.transaction() as transaction:
        for symbol_ids, shape in ((None, (0, 5)), ([UNKNOWN], (1, 5)), ([], (0, 5))):
            window = await read_window(transaction, M1, 5, symbol_ids=symbol_ids)
            assert window.ts.shape == shape
            assert not window.counts.any()
        assert len(await read_symbol_range(transaction, UNKNOWN, M1, minute(0), minute(9))) == 0
        assert await read_range(transaction, M1, minute(0), minute(9)) == {}
        assert await read_span(transaction, UNKNOWN, M1, minute(0), minute(9)) is None
        assert await read_first_open(transaction, M1, minute(0), minute(9)) is None


async def test_a_window_finds_what_thin_symbols_have_however_far_back(shelf: Shelf) -> None:
    busy, thin, dead = (shelf.ids[name] for name in ("BTC-USD", "ETH-USD", "SOL-USD"))
    await shelf.put("BTC-USD", range(100))
    await shelf.put("ETH-USD", [-30_000, -3_000, -7, 3, 50, 90, 95, 97])
    await shelf.put("SOL-USD", [-35_000, -34_999])
    await shelf.close_months()
    await shelf.archive(FEBRUARY)
    plain = {name: await shelf.plain(name) for name in shelf.ids}
    async with shelf.database.transaction() as transaction:
        window = await read_window(transaction, M1, 6)
        assert row(window, busy) == {name: values[-6:] for name, values in plain["BTC-USD"].items()}
        assert row(window, thin) == {name: values[-6:] for name, values in plain["ETH-USD"].items()}
        assert row(window, dead) == plain["SOL-USD"]
        earlier = await read_window(transaction, M1, 3, end=minute(50), symbol_ids=[thin, UNKNOWN])
        assert row(earlier, thin) == {name: values[1:4] for name, values in plain["ETH-USD"].items()}
        assert earlier.counts.tolist() == [3, 0]
        bounded = await read_window(transaction, M1, 6, since=minute(-10))
        assert row(bounded, thin) == {name: values[-6:] for name, values in plain["ETH-USD"].items()}
        assert row(bounded, dead)["ts"] == []
        recent = await read_window(transaction, M1, 6, since=minute(90))
        assert [len(row(recent, each)["ts"]) for each in (busy, thin, dead)] == [6, 3, 0]


async def test_a_window_may_end_within_a_bar(shelf: Shelf) -> None:
    await shelf.put("BTC-USD", range(10))
    async with shelf.database.transaction() as transaction:
        for seconds, newest in ((0, 4), (1, 5), (-1, 4)):
            window = await read_window(transaction, M1, 3, end=minute(5) + timedelta(seconds=seconds))
            opens = [int(minute(number).timestamp()) for number in range(newest - 2, newest + 1)]
            assert window.ts.tolist() == [opens]


async def test_timeframes_are_kept_apart(shelf: Shelf) -> None:
    await shelf.put("BTC-USD", range(-30, 30))
    async with shelf.database.transaction() as transaction:
        await roll_up(transaction, Timeframe.M15, minute(-30), minute(30))
        quarters = await read_window(transaction, Timeframe.M15, 10)
        minutes = await read_window(transaction, M1, 100)
    assert quarters.counts.tolist() == [4]
    assert quarters.ts[0, -4:].tolist() == [int(START.timestamp()) + 900 * n for n in (-2, -1, 0, 1)]
    assert minutes.counts.tolist() == [60]

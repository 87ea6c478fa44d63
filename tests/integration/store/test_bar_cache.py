"""What the cache gives is what the database holds, whatever was written since."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import fields
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tracker.domain.timeframe import Timeframe
from tracker.store.bar_cache import BarCache
from tracker.store.bars import roll_up
from tracker.store.database import Database, Transaction
from tracker.store.readers import read_range, read_symbol_range, read_window
from tracker.testing.builders import START, make_bar
from tracker.testing.clock import FixedClock

from .conftest import FEBRUARY, MARCH, Shelf, minute

M1, M15 = Timeframe.M1, Timeframe.M15
NAMES = ("A", "B", "C")
_examples = itertools.count(1)

# Minutes around the end of a month, few enough that the same one is often hit again.
numbers = st.integers(-40, 40)
symbols = st.sampled_from(NAMES)
prices = st.sampled_from([100.0, 101.0, 102.5])
steps = st.one_of(
    st.tuples(st.just("stream"), symbols, numbers, prices),
    st.tuples(st.just("merge"), symbols, numbers, prices),
    st.tuples(st.just("roll"), symbols, numbers, prices),
    st.tuples(st.just("archive"), st.sampled_from([FEBRUARY, MARCH])),
    # Two writers at work at once, of which the later one may be done first.
    st.tuples(st.just("both"), numbers, numbers, prices, st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 400.0])),
)


class Readings:
    """The same questions to a cache and to the database."""

    def __init__(self, shelf: Shelf, cache: BarCache, ids: dict[str, int]) -> None:
        self.shelf, self.cache, self.ids = shelf, cache, ids

    async def compare(self) -> None:
        """Raise AssertionError where the cache gives anything but what is stored."""
        async with self.shelf.database.transaction() as transaction:
            for reader in (self._ranges, self._windows):
                await reader(transaction)

    async def _ranges(self, transaction: Transaction) -> None:
        one = self.ids["A"]
        for timeframe in (M1, M15):
            for first, end in ((-30, 0), (-60, 60), (10, 30)):
                span = timeframe, minute(first), minute(end)
                alike(await self.cache.symbol_range(transaction, one, *span), await read_symbol_range(
                    transaction, one, *span))  # fmt: skip
                alike(await self.cache.range(transaction, *span), await read_range(transaction, *span))

    async def _windows(self, transaction: Transaction) -> None:
        some = [self.ids["A"], self.ids["C"]]
        for timeframe, end in ((M1, None), (M1, minute(5)), (M15, None)):
            asked = {"symbol_ids": some, "end": end}
            alike(await self.cache.window(transaction, timeframe, 7, **asked), await read_window(
                transaction, timeframe, 7, **asked))  # fmt: skip


def alike(ours: Any, theirs: Any) -> None:
    if isinstance(ours, dict):
        assert set(ours) == set(theirs)
        for key, value in ours.items():
            alike(value, theirs[key])
        return
    for each in fields(ours):
        np.testing.assert_array_equal(getattr(ours, each.name), getattr(theirs, each.name), each.name)


async def write(shelf: Shelf, names: dict[str, str], transaction: Transaction, step: tuple[Any, ...]) -> None:
    kind, symbol, number, price = step
    match kind:
        case "stream":
            await shelf.stream(transaction, [make_bar(number, symbol=names[symbol], close=price)])
        case "merge":
            await shelf.merge(transaction, names[symbol], range(number, number + 5), price)
        case _:
            begin = M15.floor(minute(number))
            await roll_up(transaction, M15, begin, M15.close_of(begin), [shelf.ids[names[symbol]]])


async def take(shelf: Shelf, names: dict[str, str], readings: Readings, clock: FixedClock, step: Any) -> None:
    if step[0] == "archive":
        return await shelf.archive(step[1])
    if step[0] == "wait":
        return clock.advance(step[1])
    await shelf.make_months()
    if step[0] != "both":
        async with shelf.database.transaction() as transaction:
            await write(shelf, names, transaction, step)
            await transaction.commit()
        return None
    _, first, second, price, is_swapped = step
    async with AsyncExitStack() as open_ones:
        writers = [await open_ones.enter_async_context(shelf.database.transaction()) for _ in range(2)]
        await write(shelf, names, writers[0], ("stream", "A", first, price))
        await write(shelf, names, writers[1], ("merge", "B", second, price))
        for writer in reversed(writers) if is_swapped else writers:
            await readings.compare()
            await writer.commit()
    return None


async def run(url: str, chosen: list[Any]) -> None:
    database = await Database.open(url, role=None, pool_size=4, application="test")
    try:
        shelf, clock = Shelf(database), FixedClock(START)
        names = {each: f"{each}{next(_examples)}-USD" for each in NAMES}
        await shelf.list_symbols(*names.values())
        await shelf.make_months()
        async with database.transaction() as transaction:
            await shelf.stream(transaction, [make_bar(n, symbol=names["A"]) for n in (-1, 0, 60)])
            await transaction.commit()
        await shelf.close_months()
        cache = BarCache(clock, ttl=timedelta(minutes=5), entries=32)
        readings = Readings(shelf, cache, {each: shelf.ids[name] for each, name in names.items()})
        for step in chosen:
            await readings.compare()
            await take(shelf, names, readings, clock, step)
        await readings.compare()
    finally:
        await database.close()


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(chosen=st.lists(steps, min_size=1, max_size=8))
def test_cached_reads_are_uncached_reads(database_url: str, chosen: list[Any]) -> None:
    asyncio.run(run(database_url, chosen))


@pytest.fixture
async def cached(
    shelf: Shelf, open_database: Callable[[str | None], Awaitable[Database]]
) -> tuple[BarCache, FixedClock, Callable[[], Awaitable[bool]]]:
    """A cache that has read the minutes 0 to 10, and a function that tells whether it reads them again."""
    await shelf.put("BTC-USD", range(20))
    clock = FixedClock(START)
    cache = BarCache(clock, ttl=timedelta(minutes=5), entries=2)
    database = await open_database("dashboard")

    async def reads() -> bool:
        before = cache.misses
        async with database.transaction() as transaction:
            await cache.symbol_range(transaction, shelf.ids["BTC-USD"], M1, minute(0), minute(10))
        return cache.misses > before

    assert await reads()
    return cache, clock, reads


async def test_a_span_is_read_again_only_where_it_may_have_changed(shelf: Shelf, cached: Any) -> None:
    _, _, reads = cached
    assert not await reads()
    await shelf.put("BTC-USD", [20, 21])
    await shelf.put("ETH-USD", [3])
    await shelf.close_months()
    await shelf.archive(MARCH)
    assert not await reads()
    await shelf.put("BTC-USD", [20], close=120.0)
    assert await reads()
    assert not await reads()
    await shelf.put("BTC-USD", [-2])
    assert await reads()


async def test_what_was_stored_before_is_no_rewrite(shelf: Shelf, cached: Any) -> None:
    _, _, reads = cached
    await shelf.put("BTC-USD", range(20))
    assert not await reads()


async def test_an_answer_is_given_up_after_its_time_and_for_newer_ones(shelf: Shelf, cached: Any) -> None:
    cache, clock, reads = cached
    clock.advance(299)
    assert not await reads()
    clock.advance(1)
    assert await reads()
    async with shelf.database.transaction() as transaction:
        for end in (11, 12):
            await cache.symbol_range(transaction, shelf.ids["BTC-USD"], M1, minute(0), minute(end))
    assert await reads()


async def test_shared_answers_cannot_be_changed(shelf: Shelf, cached: Any) -> None:
    cache, _, _ = cached
    async with shelf.database.transaction() as transaction:
        window = await cache.window(transaction, M1, 5)
        table = (await cache.range(transaction, M1, minute(0), minute(5)))[shelf.ids["BTC-USD"]]
    for values in (window.close, window.ts, table.close):
        with pytest.raises(ValueError, match="read-only"):
            values[:] = 0

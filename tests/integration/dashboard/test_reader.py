"""Answers are read once for all who ask, and shown when they have changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from nicegui import Client, ui
from tracker.domain.errors import SchemaError
from tracker.domain.timeframe import Timeframe
from tracker.runtime.logging import get_logger
from tracker.store.bars import advance_watermark
from tracker.store.database import Database, Transaction
from tracker.store.pages.overview import read_freshness
from tracker.store.symbols import write_symbols
from tracker.testing.builders import START, make_instrument
from tracker.testing.clock import FixedClock

from services.dashboard.reader import MOST_ANSWERS, UNWATCHED_SECONDS, Question, Reader

OpenDatabase = Callable[[str | None], Awaitable[Database]]


@pytest.fixture
async def clock() -> FixedClock:
    return FixedClock(START)


@pytest.fixture
async def reader(open_database: OpenDatabase, clock: FixedClock) -> Reader:
    return Reader(await open_database("dashboard"), clock, get_logger("test"))


@pytest.fixture
async def viewer() -> AsyncIterator[Client]:
    client = Client(ui.page("/test"))
    yield client
    if not client.is_deleted:
        client.delete()


class Counted:
    """A question that counts how often it was read, and answers with the number."""

    def __init__(self, **options: object) -> None:
        self.reads: list[tuple[object, ...]] = []
        self.question: Question[int] = Question(read=self._read, **options)  # type: ignore[arg-type]

    async def _read(self, _: Transaction, *arguments: object) -> int:
        await asyncio.sleep(0.01)
        self.reads.append(arguments)
        return len(self.reads)


async def close_a_bar(open_database: OpenDatabase, minutes: int) -> None:
    collector = await open_database("data_collector")
    async with collector.transaction() as transaction:
        at = START.replace(minute=minutes)
        await advance_watermark(transaction, Timeframe.M1, START, at)
        await transaction.commit()


async def test_many_viewers_ask_the_database_once(reader: Reader, clock: FixedClock) -> None:
    counted = Counted(seconds=5.0)
    assert await asyncio.gather(*(reader.ask(counted.question) for _ in range(50))) == [1] * 50
    clock.advance(4)
    assert await reader.ask(counted.question) == 1
    clock.advance(2)
    assert await reader.ask(counted.question) == 2
    assert await reader.ask(counted.question, "BTC-USD") == 3
    assert counted.reads == [(), (), ("BTC-USD",)]


async def test_a_closed_bar_is_shown_at_once_and_only_what_changed(
    reader: Reader, open_database: OpenDatabase, viewer: Client, clock: FixedClock
) -> None:
    still = Counted(seconds=60, with_bars=False)
    moving = Counted(seconds=60)
    shown: list[tuple[str, object]] = []
    with viewer:
        await reader.watch(lambda value: shown.append(("still", value)), still.question)
        await reader.watch(lambda value: shown.append(("moving", value)), moving.question)
    await reader.refresh()
    shown.clear()
    await reader.refresh()
    assert shown == []
    await close_a_bar(open_database, 1)
    await reader.refresh()
    assert shown == [("moving", moving.reads and len(moving.reads))]
    clock.advance(61)
    await reader.refresh()
    assert {name for name, _ in shown[1:]} == {"still", "moving"}


async def test_the_database_s_own_answer_reaches_the_page(
    reader: Reader, open_database: OpenDatabase, viewer: Client
) -> None:
    shown: list[object] = []
    with viewer:
        question = Question(read=read_freshness)
        await reader.watch(lambda found: shown.append([each.timeframe for each in found]), question)
    await close_a_bar(open_database, 1)
    await reader.refresh()
    assert shown == [[], ["1m"]]


async def test_a_page_that_closes_is_watched_for_no_more(reader: Reader, viewer: Client, clock: FixedClock) -> None:
    counted = Counted(seconds=1)
    with viewer:
        watch = await reader.watch(lambda _: None, counted.question, "BTC-USD")
        await watch.ask_for(counted.question, "ETH-USD")
    assert reader.watches == 1
    clock.advance(2)
    await reader.refresh()
    assert counted.reads == [("BTC-USD",), ("ETH-USD",), ("ETH-USD",)]
    viewer.delete()
    assert reader.watches == 0
    clock.advance(UNWATCHED_SECONDS + 1)
    await reader.refresh()
    assert reader.answers == 0


async def test_a_page_that_fails_keeps_nothing_from_the_others(
    reader: Reader, viewer: Client, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    counted = Counted(seconds=1)
    shown: list[int] = []

    def fail_later(value: int) -> None:
        if value > 1:
            raise LookupError("no such element")

    with viewer:
        await reader.watch(fail_later, counted.question)
        await reader.watch(shown.append, counted.question)
    clock.advance(2)
    await reader.refresh()
    assert shown == [1, 2]


async def test_answers_are_not_kept_without_limit(reader: Reader, clock: FixedClock) -> None:
    counted = Counted()
    for number in range(MOST_ANSWERS + 20):
        await reader.ask(counted.question, number)
        clock.advance(0.01)
    await reader.refresh()
    assert reader.answers <= MOST_ANSWERS


async def test_who_asks_along_hears_of_the_failure_too(reader: Reader) -> None:
    async def fail(transaction: Transaction) -> int:
        await asyncio.sleep(0.01)
        raise SchemaError("no such view")

    question: Question[int] = Question(read=fail)
    outcomes = await asyncio.gather(*(reader.ask(question) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in outcomes] == [SchemaError] * 3


async def test_the_dashboard_cannot_write(open_database: OpenDatabase) -> None:
    database = await open_database("dashboard")
    with pytest.raises(SchemaError, match="permission denied"):
        async with database.transaction() as transaction:
            await write_symbols(transaction, [make_instrument()])

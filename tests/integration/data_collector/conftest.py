"""A paced exchange for all collector tests, and a station for each."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any, TypeAlias

import pytest
from tracker.domain.timeframe import Timeframe
from tracker.store.database import Database
from tracker.testing.exchange import Exchange, Start, exchanges

from tests.integration.data_collector.collector_station import SYMBOLS, Station, iso, moment

START = "2026-03-02T12:00:00Z"
OpenDatabase: TypeAlias = Callable[[str | None], Awaitable[Database]]
MakeStation: TypeAlias = Callable[..., Awaitable[Station]]
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def start_exchange() -> Iterator[Start]:
    """Return a function that starts an exchange of one's own."""
    with exchanges() as launch:
        yield launch


@pytest.fixture(scope="session")
def shared_market(start_exchange: Start) -> Exchange:
    """A paced exchange with an invented market; tests move it on and leave no faults behind."""
    return start_exchange("--clock", "paced", "--start", START, "--symbols", ",".join(SYMBOLS))


@pytest.fixture
def market(shared_market: Exchange) -> Iterator[Exchange]:
    """The shared exchange at the next full hour."""
    now = moment(shared_market.get("/clock").json()["now"])
    shared_market.clock(jump_to=iso(Timeframe.H1.floor(now) + timedelta(hours=1)))
    yield shared_market
    assert shared_market.process.poll() is None, "the exchange died"
    shared_market.http.delete("/faults")


@pytest.fixture
def make_station(open_database: OpenDatabase, database_url: str) -> MakeStation:
    """Return a function that sets up a collector at an exchange."""

    async def make(exchange: Exchange, *, symbols: tuple[str, ...] = SYMBOLS, **settings: Any) -> Station:
        database = await open_database("data_collector")
        return Station(
            exchange=exchange, database=database, url=database_url, key=f"key-{next(_numbers)}", symbols=symbols,
            settings=settings,
        )

    return make

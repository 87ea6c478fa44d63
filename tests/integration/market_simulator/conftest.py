"""A real exchange process on a free port."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tracker.testing.exchange import Client, Exchange, Start, exchanges

__all__ = ["Client", "Exchange", "Start"]

START = "2026-03-02T12:00:00Z"
SYMBOLS = "BTC-USD,ETH-USD,DOGE-USD"


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    """Return a function that starts an exchange."""
    with exchanges() as launch:
        yield launch


@pytest.fixture(scope="session")
def shared(start: Start) -> Exchange:
    """A paced exchange with three symbols; tests move it on and leave no faults behind."""
    return start("--clock", "paced", "--start", START, "--symbols", SYMBOLS)


@pytest.fixture
def exchange(shared: Exchange) -> Iterator[Exchange]:
    """The shared exchange at the next full hour."""
    now = shared.get("/clock").json()["now"]
    hour = int(now[11:13]) + 1
    day, hour = int(now[8:10]) + hour // 24, hour % 24
    shared.clock(jump_to=f"2026-03-{day:02}T{hour:02}:00:00Z")
    yield shared
    assert shared.process.poll() is None, "the exchange died"
    shared.sockets.close()
    shared.http.delete("/faults")

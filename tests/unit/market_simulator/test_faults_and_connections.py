"""Faults, what they make of frames, and a connection's bounded queue."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from tracker.domain.errors import ConfigError
from tracker.runtime.settings import load_settings
from tracker.testing.clock import FixedClock

from services.market_simulator.clock import FastClock, PacedClock
from services.market_simulator.connection import Connection
from services.market_simulator.distortion import Distortion
from services.market_simulator.faults import BadBar, FaultKind, FaultLedger, FaultOrder
from services.market_simulator.settings import MarketSimulatorSettings, command_line
from services.market_simulator.wire import CONNECTED, Frame, minute_bar


def frame(minute: int, *pairs: str) -> Frame:
    values = (1.0, 2.0, 0.5, 1.5, 10.0)
    bars = tuple(minute_bar(pair, minute * 60, 60, values, 1.2, 4) for pair in pairs or ("A-B",))
    return Frame(minute * 60 + 60, bars)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def ledger(clock: FixedClock) -> FaultLedger:
    return FaultLedger(clock, lambda: None)


def test_a_fault_strikes_once_unless_told_otherwise(ledger: FaultLedger) -> None:
    ledger.add(FaultOrder(kind=FaultKind.DROP))
    assert ledger.strike(FaultKind.STALL) is None
    assert ledger.strike(FaultKind.DROP) is not None
    assert ledger.strike(FaultKind.DROP) is None
    assert ledger.report() == {"active": [], "done": {"drop": 1}}


def test_a_fault_ends_with_its_time_or_its_count(ledger: FaultLedger, clock: FixedClock) -> None:
    ledger.add(FaultOrder(kind=FaultKind.STALL, seconds=5))
    assert [ledger.strike(FaultKind.STALL) is not None for _ in range(3)] == [True] * 3
    assert ledger.report()["active"][0]["seconds_left"] == 5
    clock.advance(5)
    assert ledger.strike(FaultKind.STALL) is None
    ledger.add(FaultOrder(kind=FaultKind.STALL, seconds=5, count=1))
    assert [ledger.strike(FaultKind.STALL) is not None for _ in range(2)] == [True, False]


def test_without_faults_frames_stay_as_they_are(ledger: FaultLedger) -> None:
    assert Distortion(ledger).of(frame(1)) == [frame(1)]


def test_late_bars_come_some_minutes_later_and_a_burst_all_at_once(ledger: FaultLedger) -> None:
    distortion = Distortion(ledger)
    ledger.add(FaultOrder(kind=FaultKind.LATE, symbols=("A-B",), minutes=2))
    sent = [distortion.of(frame(minute, "A-B", "C-D")) for minute in range(3)]
    assert sent == [[frame(0, "C-D")], [frame(1, "A-B", "C-D")], [frame(2, "A-B", "C-D"), frame(0, "A-B")]]
    ledger.add(FaultOrder(kind=FaultKind.BURST, count=2))
    assert [distortion.of(frame(minute)) for minute in range(3)] == [[], [], [frame(0), frame(1), frame(2)]]


def test_a_bar_that_waits_while_it_is_corrected_is_sent_corrected(ledger: FaultLedger) -> None:
    for kind in (FaultKind.LATE, FaultKind.DISORDER, FaultKind.BURST):
        distortion = Distortion(ledger)
        ledger.add(FaultOrder(kind=kind, symbols=("A-B",)))
        first = frame(0, "A-B", "C-D")
        before = distortion.of(first)
        changed = first.bars[0] | {"c": 1.25}
        distortion.amend([changed])
        sent = before + [each for minute in range(1, 4) for each in distortion.of(frame(minute, "C-D"))]
        assert [bar for each in sent for bar in each.bars if bar["pair"] == "A-B"] == [changed], kind


@pytest.mark.parametrize("bad", BadBar)
def test_a_bad_bar_differs_and_is_in_the_log(ledger: FaultLedger, bad: BadBar) -> None:
    ledger.add(FaultOrder(kind=FaultKind.BAD_BAR, symbols=("C-D",), bad=bad))
    (sent,) = Distortion(ledger).of(frame(0, "A-B", "C-D"))
    assert sent.bars[0] == frame(0).bars[0]
    assert sent.bars[1] != frame(0, "C-D").bars[0]
    (stroke,) = ledger.strokes
    assert stroke.bars == [sent.bars[1]]


def test_a_held_frame_follows_the_next_or_is_released(ledger: FaultLedger) -> None:
    distortion = Distortion(ledger)
    ledger.add(FaultOrder(kind=FaultKind.DISORDER, count=2))
    assert distortion.of(frame(1)) == []
    assert [each.close for each in distortion.of(frame(2))] == [180, 120]
    assert distortion.of(frame(3)) == []
    assert [each.close for each in distortion.release()] == [240]
    assert distortion.release() == []


def test_duplicates_of_one_symbol_only(ledger: FaultLedger) -> None:
    ledger.add(FaultOrder(kind=FaultKind.DUPLICATE, symbols=("C-D",)))
    assert Distortion(ledger).of(frame(1, "A-B", "C-D")) == [frame(1, "A-B", "C-D"), frame(1, "C-D")]


@dataclass
class FakeSocket:
    """A client that reads only when its gate is open."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    sent: list[str | int] = field(default_factory=list)
    aborted: bool = False

    async def send(self, text: str) -> None:
        await self.gate.wait()
        self.sent.append(text)

    async def close(self, code: int) -> None:
        self.sent.append(code)

    def abort(self) -> None:
        self.aborted = True


def test_a_slow_reader_is_cut_off() -> None:
    async def fill() -> None:
        socket = FakeSocket()
        connection = Connection(socket, bound=3)
        sender = asyncio.create_task(connection.send_forever())
        await asyncio.sleep(0)
        assert [connection.offer(str(number)) for number in range(5)] == [True] * 3 + [False] * 2
        assert socket.aborted
        assert connection.closed
        sender.cancel()

    asyncio.run(fill())


def test_a_patient_sender_waits_for_room_and_gives_up_in_the_end() -> None:
    async def fill() -> None:
        socket = FakeSocket()
        connection = Connection(socket, bound=1)
        sender = asyncio.create_task(connection.send_forever())
        socket.gate.set()
        for number in range(50):
            assert await connection.put(str(number))
        await connection.drained()
        assert socket.sent == [str(number) for number in range(50)]
        socket.gate.clear()
        results = [await connection.put(str(number), patience=0.01) for number in range(4)]
        assert results[0]
        assert not results[-1]
        assert socket.aborted
        sender.cancel()

    asyncio.run(fill())


def test_last_words_come_before_the_close() -> None:
    async def close() -> None:
        socket = FakeSocket()
        socket.gate.set()
        connection = Connection(socket)
        connection.close(1008, CONNECTED)
        sender = asyncio.create_task(connection.send_forever())
        await connection.drained()
        assert socket.sent[-1] == 1008
        assert len(socket.sent) == 2
        assert not connection.offer("too late")
        sender.cancel()

    asyncio.run(close())


def test_fast_time_runs_from_start_to_end(clock: FixedClock) -> None:
    fast = FastClock(clock, 60, 1000, clock.monotonic(), 1090)
    assert (fast.now(), fast.mode) == (1000, "60x")
    clock.advance(1)
    assert fast.now() == 1060
    clock.advance(1)
    assert fast.now() == 1090


def test_paced_time_never_goes_back() -> None:
    paced = PacedClock()
    assert paced.now() is None
    paced.move_to(100)
    paced.move_to(50)
    assert paced.now() == 100


def test_the_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKET_SIMULATOR_CLOCK", "60x")
    monkeypatch.setenv("MARKET_SIMULATOR_SYMBOLS", "BTC-USD, ETH-USD")
    monkeypatch.setenv("MARKET_SIMULATOR_CATCH_UP", "6h")
    monkeypatch.setenv("PORT", "9001")
    options = command_line(["--clock", "paced", "--start", "2026-01-01"])
    settings = load_settings(MarketSimulatorSettings, options)
    assert (settings.clock, settings.port, settings.catch_up) == ("paced", 9001, 21_600)
    assert settings.symbols == ("BTC-USD", "ETH-USD")
    assert settings.start == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "option", ["--clock=0x", "--catch-up=soon", "--over-cap=both", "--start=now", "--seed=x"]
)
def test_a_wrong_option_is_named(option: str) -> None:
    name, _, value = option.removeprefix("--").partition("=")
    with pytest.raises(ConfigError, match=name.replace("-", "_") + ".*" + value):
        load_settings(MarketSimulatorSettings, command_line([option]))

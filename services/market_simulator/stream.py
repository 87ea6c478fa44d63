"""Sends each minute's bars as the exchange's clock passes it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tracker.runtime.logging import Logger

from services.market_simulator.clock import ExchangeClock, PacedClock
from services.market_simulator.connection import Connection
from services.market_simulator.distortion import Distortion
from services.market_simulator.faults import FaultKind, FaultLedger
from services.market_simulator.hub import Hub
from services.market_simulator.market import Market
from services.market_simulator.script import FaultScript
from services.market_simulator.wire import Frame

MINUTE = 60
# A client subscribes symbol by symbol; catching up waits this long for the rest of them, seconds.
_SUBSCRIBING = 0.2


@dataclass(slots=True)
class Stream:
    """The pump between market and clients. `sent_through` is how far bars have been sent, epoch seconds."""

    market: Market
    clock: ExchangeClock
    hub: Hub
    ledger: FaultLedger
    log: Logger
    catch_up_seconds: int = 0
    sent_through: int | None = None
    script: FaultScript | None = None
    _distortion: Distortion = field(init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _caught_up: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        """Start from the clock's present minute: what lies before is history."""
        self._distortion = Distortion(self.ledger)
        now = self.clock.now()
        self.sent_through = None if now is None else int(now) // MINUTE * MINUTE

    async def run(self) -> None:
        """Follow a clock that moves by itself."""
        while self.clock.speed > 0:
            now = self.clock.now()
            if now is None:
                return
            await self._send_through(int(now), patient=self.clock.speed != 1.0)
            wait = (MINUTE - now % MINUTE) / self.clock.speed
            await asyncio.sleep(max(wait, 0.002))

    async def jump_to(self, clock: PacedClock, moment: int) -> None:
        """Set a paced clock without sending; what lies before is history from then on."""
        async with self._lock:
            clock.move_to(moment)
            self.sent_through = max(moment, self.sent_through or moment)

    async def advance_to(self, clock: PacedClock, moment: int) -> None:
        """Move a paced clock on, sending all bars on the way, and return once they are out."""
        async with self._lock:
            if self.sent_through is None:
                self.sent_through = self.market.first
        await self._send_through(moment, patient=True, paced=clock)
        clock.move_to(moment)
        for connection in self.hub.subscribers():
            await connection.drained()

    async def _send_through(self, moment: int, *, patient: bool, paced: PacedClock | None = None) -> None:
        async with self._lock:
            if self.sent_through is None or moment <= self.sent_through:
                return
            for frame in self.market.frames(self.sent_through, moment):
                if paced is not None:
                    paced.move_to(frame.close)
                # Set before sending: whoever catches up meanwhile either is live for this frame or sends it.
                self.sent_through = frame.close
                self._order_scripted(frame.close)
                await self._send(frame, patient=patient)
                if patient:
                    await asyncio.sleep(0)
            self.sent_through = moment
            if self.market.last is not None and moment >= self.market.last:
                for held in self._distortion.release():
                    await self.hub.deliver(held, patient=patient)

    def _order_scripted(self, moment: int) -> None:
        # Faults that wait for a client would all strike the next one at once.
        if self.script is not None and self.hub.live() and (planned := self.script.take_due(moment)) is not None:
            for order in planned.orders:
                self.ledger.add(order)

    async def _send(self, frame: Frame, *, patient: bool) -> None:
        self.strike_connections()
        # A fault that nobody could notice would be none.
        if not self.hub.live():
            return
        for each in self._distortion.of(frame):
            await self.hub.deliver(each, patient=patient)
        await self.strike_corrections()

    def strike_connections(self) -> None:
        """Cut or evict the subscribers where such a fault is due."""
        if self.hub.subscribers() and self.ledger.strike(FaultKind.DROP) is not None:
            for connection in self.hub.subscribers():
                connection.cut()
        if self.hub.subscribers() and self.ledger.strike(FaultKind.EVICT) is not None:
            for connection in self.hub.subscribers():
                self.hub.evict(connection)
        if self.hub.live() and (fault := self.ledger.strike(FaultKind.LOST_SUBSCRIPTION)) is not None:
            listed = [listing.stream for listing in self.market.listings.values()]
            for connection in self.hub.live():
                connection.forget(fault.order.symbols or listed[:1], listed)

    async def strike_corrections(self) -> None:
        """Correct the latest bars where such a fault is due, and send the corrections."""
        if self.sent_through is None:
            return
        while (fault := self.ledger.pending(FaultKind.CORRECT)) is not None:
            count = fault.remaining or 1
            for _ in range(count):
                self.ledger.strike(FaultKind.CORRECT)
            for symbol in fault.order.symbols or (next(iter(self.market.listings.values())).symbol,):
                for frame in self.market.correct(symbol, self.sent_through, count):
                    self.ledger.note_bars(frame.bars)
                    self._distortion.amend(frame.bars)
                    await self.hub.deliver(frame, patient=True)
            if fault.remaining is None:
                return

    async def welcome(self, connection: Connection) -> None:
        """Make a subscriber live, after the last hours' bars where its key has not had them yet."""
        key = connection.key or ""
        now = self.clock.now()
        if self.catch_up_seconds and key not in self._caught_up and now is not None:
            self._caught_up.add(key)
            await asyncio.sleep(_SUBSCRIBING)
            await self._catch_up(connection, int(now) // MINUTE * MINUTE - self.catch_up_seconds)
        connection.live = not connection.closed and not connection.refused

    async def _catch_up(self, connection: Connection, through: int) -> None:
        start = through
        while self.sent_through is not None and through < self.sent_through and not connection.closed:
            target = self.sent_through
            for frame in self.market.frames(through, target):
                text = connection.text_of(frame)
                if text is not None:
                    await self.hub.send(connection, text, patient=True)
                # Other clients and requests get their turn between two minutes.
                await asyncio.sleep(0)
                if connection.closed:
                    return
            through = target
        self.log.info("a client has caught up", action="caught_up", seconds=through - start)

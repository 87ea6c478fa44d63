"""All connections, and the rule of one connection a key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from prometheus_client import Counter, Gauge

from services.market_simulator.connection import Connection
from services.market_simulator.wire import MAX_CONNECTIONS, Frame

CONNECTIONS = Gauge("market_simulator_connections", "Open stream connections")
FRAMES = Counter("market_simulator_frames_total", "Frames queued for clients")
CUT_OFF = Counter("market_simulator_cut_off_total", "Clients cut off because they read too slowly")
OVER_CAP_CODE = 1008

OverCap = Literal["evict", "refuse"]


@dataclass(slots=True)
class Hub:
    """The open connections; `over_cap` says which of two connections with one key has to go."""

    over_cap: OverCap = "evict"
    connections: set[Connection] = field(default_factory=set[Connection])
    frames_sent: int = 0

    def add(self, connection: Connection) -> None:
        """Take in a new connection."""
        self.connections.add(connection)
        CONNECTIONS.set(len(self.connections))

    def remove(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        self.connections.discard(connection)
        CONNECTIONS.set(len(self.connections))

    def admit(self, connection: Connection, key: str) -> None:
        """Give a connection its key; over the cap either the older one or this one has to go."""
        others = [each for each in self.connections if each.key == key and not each.closed]
        connection.key = key
        if others and self.over_cap == "refuse":
            connection.refused = True
            return
        for other in others:
            self.evict(other)

    def evict(self, connection: Connection) -> None:
        """Tell a client that it is one too many and close."""
        connection.key = None
        connection.close(OVER_CAP_CODE, MAX_CONNECTIONS)

    def subscribers(self) -> list[Connection]:
        """Return the open connections that subscribed to anything."""
        return [each for each in self.connections if any(each.subscriptions.values()) and not each.closed]

    def live(self) -> list[Connection]:
        """Return the connections that get new frames as they come."""
        return [each for each in self.connections if each.live]

    async def deliver(self, frame: Frame, *, patient: bool) -> None:
        """Queue a frame for every live client; patient: wait for a slow one before cutting it off."""
        for connection in self.live():
            text = connection.text_of(frame)
            if text is not None:
                await self.send(connection, text, patient=patient)

    async def send(self, connection: Connection, text: str, *, patient: bool) -> None:
        """Queue one text for one client and count it."""
        sent = await connection.put(text) if patient else connection.offer(text)
        if sent:
            self.frames_sent += 1
            FRAMES.inc()
        else:
            CUT_OFF.inc()

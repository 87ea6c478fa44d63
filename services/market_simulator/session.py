"""The conversation with one client: connect, authenticate, subscribe."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.market_simulator.connection import ALL, Connection
from services.market_simulator.faults import FaultKind, FaultLedger
from services.market_simulator.hub import Hub
from services.market_simulator.stream import Stream
from services.market_simulator.wire import (
    AUTH_FAILED,
    AUTH_TIMEOUT,
    AUTHENTICATED,
    CONNECTED,
    NOT_AUTHORIZED,
    Channel,
    Message,
    status,
)

TRANSPORT = "market_simulator.transport"
POLICY_VIOLATION = 1008


@dataclass(frozen=True, slots=True)
class _WebSocketWire:
    websocket: WebSocket

    async def send(self, text: str) -> None:
        await self._emit({"type": "websocket.send", "text": text})

    async def close(self, code: int) -> None:
        await self._emit({"type": "websocket.close", "code": code})

    async def _emit(self, message: dict[str, Any]) -> None:
        try:
            await self.websocket.send(message)
        except (WebSocketDisconnect, RuntimeError) as error:
            # Starlette raises RuntimeError where the client's close came first.
            raise ConnectionError(str(error)) from None

    def abort(self) -> None:
        self.websocket.scope["state"][TRANSPORT].abort()


@dataclass(slots=True)
class Sessions:
    """Accepts clients; `api_key` None admits any key that is not empty."""

    hub: Hub
    stream: Stream
    ledger: FaultLedger
    pairs: frozenset[str]
    api_key: str | None = None
    auth_seconds: float = 10.0
    _welcomes: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def serve(self, websocket: WebSocket) -> None:
        """Talk to one client until either side ends it."""
        drop = self.ledger.pending(FaultKind.DROP)
        if drop is not None and drop.until is not None:
            await websocket.close()
            return
        await websocket.accept()
        connection = Connection(_WebSocketWire(websocket))
        self.hub.add(connection)
        sender = asyncio.create_task(connection.send_forever())
        connection.tell([CONNECTED])
        try:
            if await self._authenticate(websocket, connection):
                await self._converse(websocket, connection)
            else:
                await connection.drained(1)
        except WebSocketDisconnect:
            connection.live = False
        finally:
            self.hub.remove(connection)
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            connection.abandon()

    def accepts(self, key: str) -> bool:
        """Return whether the vendor knows this key, unless a fault says otherwise."""
        if self.ledger.strike(FaultKind.AUTH_FAILURE) is not None:
            return False
        return key == self.api_key if self.api_key is not None else bool(key)

    async def _authenticate(self, websocket: WebSocket, connection: Connection) -> bool:
        try:
            async with asyncio.timeout(self.auth_seconds):
                while (request := await _request(websocket)).get("action") != "auth":
                    connection.tell([NOT_AUTHORIZED])
        except TimeoutError:
            connection.close(POLICY_VIOLATION, AUTH_TIMEOUT)
            return False
        if self.ledger.strike(FaultKind.AUTH_TIMEOUT) is not None:
            connection.close(POLICY_VIOLATION, AUTH_TIMEOUT)
            return False
        key = request.get("params")
        if not isinstance(key, str) or not self.accepts(key):
            connection.close(POLICY_VIOLATION, AUTH_FAILED)
            return False
        connection.tell([AUTHENTICATED])
        self.hub.admit(connection, key)
        if self.ledger.strike(FaultKind.REFUSE) is not None:
            connection.refused = True
        return True

    async def _converse(self, websocket: WebSocket, connection: Connection) -> None:
        while True:
            request = await _request(websocket)
            topics = request.get("params")
            if not isinstance(topics, str):
                connection.tell([status("error", "invalid message")])
            elif request.get("action") == "subscribe":
                self._subscribe(connection, topics)
            elif request.get("action") == "unsubscribe":
                connection.tell(_unsubscribed(connection, topics))
            else:
                connection.tell([status("error", "unknown action")])

    def _subscribe(self, connection: Connection, topics: str) -> None:
        first = not connection.subscriptions
        connection.tell(self._subscribed(connection, topics))
        if connection.refused:
            self.hub.evict(connection)
        elif first and connection.subscriptions:
            task = asyncio.create_task(self.stream.welcome(connection))
            self._welcomes.add(task)
            task.add_done_callback(self._welcomes.discard)

    def _subscribed(self, connection: Connection, topics: str) -> list[Message]:
        replies: list[Message] = []
        fault = self.ledger.strike(FaultKind.UNACKNOWLEDGED)
        ignored = set[str]() if fault is None else set(fault.order.symbols) or {min(self.pairs)}
        for topic in _topics(topics):
            channel, _, pair = topic.partition(".")
            if pair in ignored:
                continue
            if channel not in set(Channel) or (pair != ALL and pair not in self.pairs):
                # The vendor does not say which symbol it means.
                replies.append(NOT_AUTHORIZED)
                continue
            pairs = connection.subscriptions.setdefault(Channel(channel), set())
            if pair not in pairs:
                pairs.add(pair)
                replies.append(status("success", f"subscribed to: {topic}"))
        return replies


def _unsubscribed(connection: Connection, topics: str) -> list[Message]:
    replies: list[Message] = []
    for topic in _topics(topics):
        channel, _, pair = topic.partition(".")
        pairs = connection.subscriptions.get(Channel(channel)) if channel in set(Channel) else None
        if pairs and pair in pairs:
            pairs.discard(pair)
            replies.append(status("success", f"unsubscribed to: {topic}"))
    return replies


def _topics(text: str) -> list[str]:
    return [topic.strip() for topic in text.split(",") if topic.strip()]


async def _request(websocket: WebSocket) -> dict[str, Any]:
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    try:
        request = orjson.loads(message.get("text") or message.get("bytes") or b"")
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", request) if isinstance(request, dict) else {}

"""One client's connection: what it subscribed to and what waits to be sent to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from services.market_simulator.distortion import Broken
from services.market_simulator.wire import Channel, Frame, Message, encoded, second_bars_of, trades_of

# The vendor cuts off a reader that lets this much pile up.
QUEUED_FRAMES = 128
# How long a paced or fast exchange waits for a reader before it cuts it off, seconds.
PATIENCE = 20.0
ALL = "*"


class Socket(Protocol):
    """The wire to a client."""

    async def send(self, text: str) -> None:
        """Send a text frame, waiting while the client's buffers are full; raises ConnectionError."""
        ...

    async def close(self, code: int) -> None:
        """Close in good order; raises ConnectionError."""
        ...

    def abort(self) -> None:
        """Cut the wire."""
        ...


@dataclass(slots=True, eq=False)
class Connection:
    """A client; `live` once it gets new frames as they come."""

    socket: Socket
    bound: int = QUEUED_FRAMES
    key: str | None = None
    live: bool = False
    refused: bool = False
    closed: bool = False
    subscriptions: dict[Channel, set[str]] = field(default_factory=dict[Channel, set[str]])
    _queue: asyncio.Queue[str | int] = field(init=False)

    def __post_init__(self) -> None:
        """Make the bounded queue, with room for the replies to a client's own requests."""
        self._queue = asyncio.Queue(maxsize=self.bound)

    async def send_forever(self) -> None:
        """Send what is queued until the connection ends."""
        while True:
            item = await self._queue.get()
            try:
                if isinstance(item, int):
                    self.closed = True
                    await self.socket.close(item)
                elif not self.closed:
                    await self.socket.send(item)
            except ConnectionError:
                self.closed, self.live = True, False
            finally:
                self._queue.task_done()

    def offer(self, text: str) -> bool:
        """Queue a frame, or cut off a client that reads too slowly; return whether it was queued."""
        if self.closed:
            return False
        if self._queue.full():
            self.cut()
            return False
        self._queue.put_nowait(text)
        return True

    async def put(self, text: str, patience: float = PATIENCE) -> bool:
        """Queue a frame, waiting for room; a client that makes none in `patience` seconds is cut off."""
        if not self._queue.full():
            return self.offer(text)
        try:
            await asyncio.wait_for(self._queue.put(text), patience)
        except TimeoutError:
            self.cut()
        return not self.closed

    async def drained(self, patience: float = PATIENCE) -> None:
        """Wait until all that is queued has gone out; cut off a client that does not take it."""
        try:
            await asyncio.wait_for(self._queue.join(), patience)
        except TimeoutError:
            self.cut()

    def tell(self, messages: Iterable[Message]) -> None:
        """Queue status messages, all in one frame."""
        batch = list(messages)
        if batch:
            self.offer(encoded(batch))

    def close(self, code: int, *last: Message) -> None:
        """Send the last messages, then close; nothing is queued after that."""
        if self.closed or self._queue.full():
            self.cut()
            return
        self.live = False
        self.subscriptions.clear()
        self.tell(last)
        if self._queue.full():
            self.cut()
            return
        self._queue.put_nowait(code)

    def cut(self) -> None:
        """End the connection without a word."""
        self.abandon()
        self.socket.abort()

    def abandon(self) -> None:
        """Forget what is queued for a client that is gone, so that nobody waits for it."""
        self.closed, self.live = True, False
        while not self._queue.empty():
            self._queue.get_nowait()
            self._queue.task_done()

    def forget(self, pairs: Iterable[str], listed: Iterable[str]) -> None:
        """Drop subscriptions to these of the `listed` pairs without telling the client."""
        lost = set(pairs)
        for subscribed in self.subscriptions.values():
            if ALL in subscribed:
                subscribed.remove(ALL)
                subscribed.update(listed)
            subscribed -= lost

    def text_of(self, frame: Frame) -> str | None:
        """Return the text this client gets for a frame, None where nothing concerns it."""
        messages = [message for bar in frame.bars for message in self._messages(bar)]
        if not messages:
            return None
        text = encoded(messages)
        return text[: len(text) * 2 // 3] if isinstance(frame, Broken) else text

    def _messages(self, bar: Message) -> Iterable[Message]:
        pair = bar["pair"]
        if self._wants(Channel.TRADES, pair):
            yield from trades_of(bar)
        if self._wants(Channel.SECONDS, pair):
            yield from second_bars_of(bar)
        if self._wants(Channel.MINUTES, pair):
            yield bar

    def _wants(self, channel: Channel, pair: str) -> bool:
        pairs = self.subscriptions.get(channel)
        return pairs is not None and (ALL in pairs or pair in pairs)

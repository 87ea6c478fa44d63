"""Reads a vendor's stream: frames in, subscriptions awaited, silence noticed, errors told in our own terms."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from tracker.domain.errors import FeedAuthError, FeedConnectionLimitError, FeedError, FeedStalledError
from tracker.runtime.logging import Logger
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from services.data_collector.settings import CollectorSettings

TICK_SECONDS = 0.25
LOOK_SECONDS = 5.0
# What passes, though it is the client's fault by its number.
PASSING_STATUS = frozenset({403, 408, 425})


class Session(Protocol):
    """What one connection has heard so far."""

    @property
    def awaited(self) -> set[str]:
        """The subscriptions that were not acknowledged yet."""
        ...

    @property
    def beats(self) -> bool:
        """Whether the vendor sends something every few seconds, data or not."""
        ...

    def take(self, frame: str | bytes) -> bool:
        """Take a frame in; tell whether it brought market data."""
        ...

    def tick(self) -> None:
        """Do what time alone makes due."""
        ...

    def look(self) -> None:
        """Ask again for subscriptions that seem to be lost: silent for long while others speak."""
        ...

    def ask_again(self) -> None:
        """Ask once more for what was not acknowledged."""
        ...

    def take_outgoing(self) -> list[str]:
        """Return the frames to send now."""
        ...


async def read(
    connection: ClientConnection,
    session: Session,
    settings: CollectorSettings,
    log: Logger,
    beside: Sequence[Callable[[], Awaitable[None]]],
) -> None:
    """Read until the connection ends, with `beside` going on from the subscription on.

    Raises FeedStalledError where no market data has come for too long, whatever heartbeats say, or where not
    even the heartbeats come.
    """
    loop = asyncio.get_running_loop()
    watch = _Watch.begun(settings, log, loop.time())
    tasks: list[asyncio.Future[None]] = []
    try:
        while True:
            for text in session.take_outgoing():
                await connection.send(text)
            frame = await _receive(connection, TICK_SECONDS)
            watch.took(frame, session, loop.time())
            if not tasks and watch.subscribed:
                tasks = [asyncio.ensure_future(work()) for work in beside]
            _raise_failure(tasks)
    finally:
        for task in tasks:
            task.cancel()
        # Awaited, so that nothing of an old connection's repair goes on beside the next one's.
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(slots=True)
class _Watch:
    """What must have come by when; `subscribed` once all is acknowledged or the wait for it is over."""

    settings: CollectorSettings
    log: Logger
    deadline: float
    look_at: float
    last_data: float
    last_frame: float
    subscribed: bool = False

    @staticmethod
    def begun(settings: CollectorSettings, log: Logger, now: float) -> _Watch:
        return _Watch(settings, log, now + settings.handshake_seconds, now + LOOK_SECONDS, now, now)

    def took(self, frame: str | bytes | None, session: Session, now: float) -> None:
        if frame is not None:
            self.last_frame = now
            if session.take(frame):
                self.last_data = now
        session.tick()
        if now >= self.look_at:
            self.look_at = now + LOOK_SECONDS
            session.look()
        self._check_acknowledged(session, now)
        self._check_alive(session, now)

    def _check_acknowledged(self, session: Session, now: float) -> None:
        if not session.awaited:
            self.subscribed = True
            self.deadline = now + self.settings.handshake_seconds
        elif now > self.deadline:
            # Gone on with: what is missing meanwhile, REST tells.
            self.subscribed = True
            self.deadline = now + self.settings.resubscribe_seconds
            self.log.warning(
                "some subscriptions were not acknowledged and are asked for again",
                action="subscribe_partial",
                missing=sorted(session.awaited)[:20],
                count=len(session.awaited),
            )
            session.ask_again()

    def _check_alive(self, session: Session, now: float) -> None:
        if now - self.last_data > self.settings.stall_seconds:
            raise FeedStalledError(f"no data for {now - self.last_data:.0f} seconds")
        if session.beats and now - self.last_frame > self.settings.heartbeat_stall_seconds:
            raise FeedStalledError(f"not even a heartbeat for {now - self.last_frame:.0f} seconds")


async def _receive(connection: ClientConnection, seconds: float) -> str | bytes | None:
    """Return the next frame, None where none comes in time."""
    try:
        async with asyncio.timeout(seconds):
            return await connection.recv()
    except TimeoutError:
        return None


@contextmanager
def feed_errors(url: str, variable: str) -> Iterator[None]:
    """Turn what can happen to a connection into our own errors; `variable` is the setting that holds the URL.

    Raises FeedAuthError where a retry cannot help, FeedError otherwise.
    """
    try:
        yield
    except InvalidStatus as error:
        raise _refusal(url, variable, error.response.status_code) from error
    except ConnectionClosed as error:
        raise FeedError(f"the stream of {url} ended: {error}") from error
    except (InvalidHandshake, InvalidURI, OSError, TimeoutError) as error:
        raise FeedError(f"{url} cannot be reached: {str(error) or type(error).__name__}") from error


def _refusal(url: str, variable: str, status: int) -> FeedError | FeedAuthError:
    if status == 451:
        return FeedAuthError(f"{url} does not serve this country (HTTP 451): choose another --source")
    if status == 429:
        return FeedConnectionLimitError(f"{url} refused the connection (HTTP 429)")
    if status >= 500 or status in PASSING_STATUS:
        return FeedError(f"{url} refused the connection (HTTP {status})")
    # Tried again nevertheless: a vendor's own mistake looks the same.
    return FeedError(f"{variable} = {url} does not lead to a stream: the answer is HTTP {status}")


def connect_options(settings: CollectorSettings) -> dict[str, Any]:
    """Return how a stream is opened: frames may be large, and a slow moment is no reason to lose one."""
    return {
        "max_size": 2**24,
        "max_queue": 1024,
        "close_timeout": 2,
        "open_timeout": settings.handshake_seconds,
    }


def _raise_failure(tasks: Sequence[asyncio.Future[None]]) -> None:
    for task in tasks:
        if task.done() and (failure := task.exception()):
            raise failure

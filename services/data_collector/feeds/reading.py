"""Reads a vendor's stream: frames in, subscriptions awaited, silence noticed, errors told in our own terms."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from tracker.domain.errors import FeedAuthError, FeedConnectionLimitError, FeedError, FeedStalledError
from tracker.runtime.logging import Logger
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from services.data_collector.settings import CollectorSettings

TICK_SECONDS = 0.25


class Session(Protocol):
    """What one connection has heard so far."""

    @property
    def awaited(self) -> set[str]:
        """The subscriptions that were not acknowledged yet."""
        ...

    def take(self, frame: str | bytes) -> bool:
        """Take a frame in; tell whether it brought market data."""
        ...

    def tick(self) -> None:
        """Do what time alone makes due."""
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

    Raises FeedStalledError where no market data has come for too long, whatever heartbeats say.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.handshake_seconds
    last_data = loop.time()
    tasks: list[asyncio.Future[None]] = []
    try:
        while True:
            for text in session.take_outgoing():
                await connection.send(text)
            frame = await receive(connection, TICK_SECONDS)
            now = loop.time()
            if frame is not None and session.take(frame):
                last_data = now
            session.tick()
            if not tasks and (not session.awaited or now > deadline):
                _warn_of(session.awaited, log)
                tasks = [asyncio.ensure_future(work()) for work in beside]
            _raise_failure(tasks)
            if now - last_data > settings.stall_seconds:
                raise FeedStalledError(f"no data for {now - last_data:.0f} seconds")
    finally:
        for task in tasks:
            task.cancel()
        # Awaited, so that nothing of an old connection's repair goes on beside the next one's.
        await asyncio.gather(*tasks, return_exceptions=True)


async def receive(connection: ClientConnection, seconds: float) -> str | bytes | None:
    """Return the next frame, None where none comes in time."""
    try:
        async with asyncio.timeout(seconds):
            return await connection.recv()
    except TimeoutError:
        return None


@contextmanager
def feed_errors(url: str, variable: str) -> Iterator[None]:
    """Turn what can happen to a connection into FeedError, and what a retry cannot help into FeedAuthError."""
    try:
        yield
    except InvalidStatus as error:
        status = error.response.status_code
        if status == 451:
            raise FeedAuthError(f"{url} does not serve this country (HTTP 451): choose another --source") from error
        kind = FeedConnectionLimitError if status == 429 else FeedError
        raise kind(f"{url} refused the connection (HTTP {status})") from error
    except InvalidURI as error:
        raise FeedAuthError(f"{variable} = {error.uri!r} is not the address of a stream") from error
    except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError) as error:
        raise FeedError(f"the stream of {url} ended: {error}") from error


def connect_options(settings: CollectorSettings) -> dict[str, Any]:
    """Return how a stream is opened: frames may be large, and a slow moment is no reason to lose one."""
    return {
        "max_size": 2**24,
        "max_queue": 1024,
        "close_timeout": 2,
        "open_timeout": settings.handshake_seconds,
    }


def _warn_of(awaited: set[str], log: Logger) -> None:
    if awaited:
        log.warning(
            "some subscriptions were not acknowledged",
            action="subscribe_partial",
            missing=sorted(awaited)[:20],
            count=len(awaited),
        )


def _raise_failure(tasks: Sequence[asyncio.Future[None]]) -> None:
    for task in tasks:
        if task.done() and (failure := task.exception()):
            raise failure

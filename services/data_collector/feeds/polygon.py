"""Polygon's crypto stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import httpx
import orjson
from tracker.domain.bar import Bar
from tracker.domain.clock import Clock
from tracker.domain.errors import FeedAuthError, FeedConnectionLimitError, FeedError, FeedStalledError
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import Timeframe
from tracker.runtime.logging import Logger
from tracker.store.bars import BarTable
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from services.data_collector.feeds.base import Sink
from services.data_collector.feeds.polygon_messages import Message, Status, parse_frame
from services.data_collector.feeds.polygon_rest import PolygonRest
from services.data_collector.settings import CollectorSettings


class PolygonFeed:
    """One connection a key: connect, authenticate, subscribe, read."""

    vendor = "polygon"

    def __init__(
        self, settings: CollectorSettings, clock: Clock, log: Logger, client: httpx.AsyncClient | None = None
    ) -> None:
        """Point at the hosts in the settings."""
        self._settings = settings
        self._log = log
        self._rest = PolygonRest(settings, clock, client)

    async def supported(self, instruments: Sequence[Instrument]) -> dict[str, str]:
        """Return for each symbol the vendor does not know the reason why it is left out."""
        known = await self._rest.tickers()
        refused: dict[str, str] = {}
        for each in instruments:
            ticker = each.vendor_tickers.get("polygon_rest")
            if ticker is None:
                refused[each.symbol] = "universe.toml has no polygon ticker for it"
            elif ticker not in known:
                refused[each.symbol] = f"polygon does not list {ticker}"
        return refused

    async def now(self) -> datetime:
        """Return the vendor's own time."""
        return await self._rest.now()

    async def history(
        self, instrument: Instrument, timeframe: Timeframe, first: datetime, end: datetime
    ) -> BarTable:
        """Return the closed bars that open in [first, end), ascending."""
        return await self._rest.aggregates(instrument.vendor_tickers["polygon_rest"], timeframe, first, end)

    async def close(self) -> None:
        """Let go of the REST connections."""
        await self._rest.close()

    async def stream(
        self, instruments: Sequence[Instrument], sink: Sink, subscribed: Callable[[], Awaitable[None]]
    ) -> None:
        """Stream until the connection ends, which raises FeedError; FeedAuthError where the key is refused.

        The first bar is as whole as any: the vendor builds minutes, whoever was connected meanwhile.
        """
        symbols = {each.vendor_tickers["polygon_stream"]: each.symbol for each in instruments}
        try:
            async with connect(
                self._settings.polygon_ws_url,
                max_size=2**24,
                max_queue=1024,
                close_timeout=2,
                open_timeout=self._settings.handshake_seconds,
            ) as connection:
                await self._authenticate(connection, symbols)
                await connection.send(
                    orjson.dumps(
                        {"action": "subscribe", "params": ",".join(f"XA.{ticker}" for ticker in symbols)}
                    ).decode()
                )
                await self._read(connection, symbols, sink, subscribed)
        except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError) as error:
            raise FeedError(f"the stream of {self._settings.polygon_ws_url} ended: {error}") from error
        except InvalidURI as error:
            raise FeedAuthError(f"POLYGON_WS_URL = {error.uri!r} is not the address of a stream") from error

    async def _authenticate(self, connection: ClientConnection, symbols: dict[str, str]) -> None:
        await self._await_status(connection, symbols, "connected")
        key = self._settings.polygon_api_key.get_secret_value()
        await connection.send(orjson.dumps({"action": "auth", "params": key}).decode())
        await self._await_status(connection, symbols, "auth_success")

    async def _await_status(self, connection: ClientConnection, symbols: dict[str, str], wanted: str) -> None:
        async with asyncio.timeout(self._settings.handshake_seconds):
            while True:
                for message in parse_frame(await connection.recv(), symbols):
                    if isinstance(message, Status):
                        if message.status == wanted:
                            return
                        _raise_refusal(message)

    async def _read(
        self,
        connection: ClientConnection,
        symbols: dict[str, str],
        sink: Sink,
        subscribed: Callable[[], Awaitable[None]],
    ) -> None:
        """Read frames; only enqueue, because a slow reader is cut off by the vendor."""
        awaited = {f"subscribed to: XA.{ticker}" for ticker in symbols}
        announced: asyncio.Task[None] | None = None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.handshake_seconds
        last_data = loop.time()
        try:
            while True:
                frame = await _receive(connection, 1.0)
                now = loop.time()
                if frame is not None and self._take(parse_frame(frame, symbols), awaited, sink):
                    last_data = now
                if announced is None and (not awaited or now > deadline):
                    self._warn_of(awaited)
                    announced = asyncio.ensure_future(subscribed())
                if announced is not None and announced.done() and (failure := announced.exception()):
                    raise failure
                if now - last_data > self._settings.stall_seconds:
                    raise FeedStalledError(f"no data for {now - last_data:.0f} seconds")
        finally:
            if announced is not None:
                # Awaited, so that nothing of an old connection's repair goes on beside the next one's.
                announced.cancel()
                await asyncio.gather(announced, return_exceptions=True)

    def _warn_of(self, awaited: set[str]) -> None:
        if awaited:
            self._log.warning(
                "some subscriptions were not acknowledged",
                action="subscribe_partial",
                missing=sorted(awaited)[:20],
                count=len(awaited),
            )

    def _take(self, messages: list[Message], awaited: set[str], sink: Sink) -> bool:
        # Bars first: a refusal in the same frame ends the connection.
        items = [message for message in messages if not isinstance(message, Status)]
        if items:
            sink(items)
        for message in messages:
            if isinstance(message, Status):
                self._note(message, awaited)
        # Frames that cannot be read are no sign of life.
        return any(isinstance(item, Bar) for item in items)

    def _note(self, status: Status, awaited: set[str]) -> None:
        if status.status == "success":
            awaited.difference_update(part.strip() for part in status.message.split(";"))
        elif status.status == "error":
            self._log.warning("the vendor refused a request", action="vendor_error", text=status.message)
        else:
            _raise_refusal(status)


def _raise_refusal(status: Status) -> None:
    if status.status == "auth_failed":
        raise FeedAuthError(
            f"the vendor refused the key ({status.message}): set POLYGON_API_KEY to a valid one"
        )
    if status.status == "max_connections":
        raise FeedConnectionLimitError(f"the vendor refused the connection: {status.message.strip()}")
    if status.status == "auth_timeout":
        raise FeedError(f"the vendor ended the handshake: {status.message}")


async def _receive(connection: ClientConnection, seconds: float) -> str | bytes | None:
    try:
        async with asyncio.timeout(seconds):
            return await connection.recv()
    except TimeoutError:
        return None

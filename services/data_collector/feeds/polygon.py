"""Polygon's crypto stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import httpx
import orjson
from tracker.domain.bar import Bar
from tracker.domain.clock import Clock
from tracker.domain.errors import FeedAuthError, FeedConnectionLimitError, FeedError
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import Timeframe
from tracker.runtime.logging import Logger
from tracker.store.bars import BarTable
from websockets.asyncio.client import ClientConnection, connect

from services.data_collector.feeds.base import Sink
from services.data_collector.feeds.polygon_messages import Status, parse_frame
from services.data_collector.feeds.polygon_rest import PolygonRest
from services.data_collector.feeds.reading import connect_options, feed_errors, read
from services.data_collector.feeds.silence import SilenceWatch
from services.data_collector.settings import CollectorSettings

ACCEPTED = "subscribed to: XA."


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

    @property
    def trouble(self) -> str | None:
        """What REST fails with just now."""
        return self._rest.trouble

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

    def reach(self, timeframe: Timeframe) -> None:
        """Return None: the vendor keeps all its history."""
        del timeframe

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
        url = self._settings.polygon_ws_url
        with feed_errors(url, "POLYGON_WS_URL"):
            async with connect(url, **connect_options(self._settings)) as connection:
                await self._authenticate(connection, symbols)
                quiet = timedelta(seconds=self._settings.quiet_symbol_seconds)
                session = PolygonSession(symbols, quiet, sink, self._log)
                await read(connection, session, self._settings, self._log, (subscribed,))

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


class PolygonSession:
    """One authenticated connection's subscriptions, and its bars on their way out."""

    beats = False

    def __init__(self, symbols: Mapping[str, str], quiet: timedelta, sink: Sink, log: Logger) -> None:
        """Ask for every ticker to begin with; `quiet` is how long one may be silent while others are not."""
        self._symbols = symbols
        self._tickers = {symbol: ticker for ticker, symbol in symbols.items()}
        self._sink = sink
        self._log = log
        self._silence = SilenceWatch(quiet)
        self._doubted: set[str] = set()
        self._outgoing = [_subscription(symbols)]
        self.awaited = set(symbols)

    def take_outgoing(self) -> list[str]:
        """Return the frames to send now."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def tick(self) -> None:
        """Do nothing: the vendor says when a bar is closed."""

    def look(self) -> None:
        """Subscribe to everything again where a ticker is silent.

        What is subscribed already gets no answer, so an answer tells that it had been lost.
        """
        silent = self._silence.take_silent(self._symbols)
        if silent:
            self._doubted = set(silent)
            self._outgoing.append(_subscription(self._symbols))

    def ask_again(self) -> None:
        """Subscribe once more to what was not acknowledged."""
        self._outgoing.append(_subscription(sorted(self.awaited)))

    def take(self, frame: str | bytes) -> bool:
        """Hand bars on; only a bar is a sign of life."""
        messages = parse_frame(frame, self._symbols)
        # Bars first: a refusal in the same frame ends the connection.
        items = [message for message in messages if not isinstance(message, Status)]
        if items:
            self._sink(items)
        for message in messages:
            if isinstance(message, Status):
                self._note(message)
        bars = [item for item in items if isinstance(item, Bar)]
        for bar in bars:
            self._silence.heard(self._tickers[bar.symbol], bar.closes_at)
        return bool(bars)

    def _note(self, status: Status) -> None:
        if status.status == "success":
            parts = (part.strip() for part in status.message.split(";"))
            accepted = {part.removeprefix(ACCEPTED) for part in parts if part.startswith(ACCEPTED)}
            self.awaited -= accepted
            self._tell_of_lost(self._doubted & accepted)
        elif status.status == "error":
            self._log.warning("the vendor refused a request", action="vendor_error", text=status.message)
        else:
            _raise_refusal(status)

    def _tell_of_lost(self, restored: set[str]) -> None:
        if restored:
            self._doubted -= restored
            self._log.warning(
                "a lost subscription was restored",
                action="subscription_restored",
                symbols=sorted(self._symbols[ticker] for ticker in restored),
            )


def _subscription(tickers: Iterable[str]) -> str:
    params = ",".join(f"XA.{ticker}" for ticker in tickers)
    return orjson.dumps({"action": "subscribe", "params": params}).decode()


def _raise_refusal(status: Status) -> None:
    if status.status == "auth_failed":
        raise FeedAuthError(
            f"the vendor refused the key ({status.message}): set POLYGON_API_KEY to a valid one"
        )
    if status.status == "max_connections":
        raise FeedConnectionLimitError(f"the vendor refused the connection: {status.message.strip()}")
    if status.status == "auth_timeout":
        raise FeedError(f"the vendor ended the handshake: {status.message}")

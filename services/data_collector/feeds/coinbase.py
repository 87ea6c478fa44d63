"""Coinbase Exchange: minutes from its trades, compared with its candles, without a key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta

import httpx
import orjson
from tracker.domain.clock import Clock
from tracker.domain.errors import FeedError
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import Timeframe
from tracker.runtime.logging import Logger
from tracker.store.bars import BarTable
from websockets.asyncio.client import connect

from services.data_collector.buffer import Item
from services.data_collector.feeds.base import Sink
from services.data_collector.feeds.coinbase_messages import (
    Heartbeat,
    Message,
    Refusal,
    Subscriptions,
    Trade,
    parse_frame,
)
from services.data_collector.feeds.coinbase_minutes import CoinbaseMinutes
from services.data_collector.feeds.coinbase_repair import CoinbaseRepair, agreed
from services.data_collector.feeds.coinbase_rest import NO_CANDLES, CoinbaseRest
from services.data_collector.feeds.reading import connect_options, feed_errors, read
from services.data_collector.feeds.rest import RequestRefusedError
from services.data_collector.feeds.silence import SilenceWatch
from services.data_collector.settings import CollectorSettings

CHANNELS = ("matches", "heartbeat")
# A product has a heartbeat a second: without one its subscription is lost.
HEARTBEATS_LOST = timedelta(seconds=60)


class CoinbaseFeed:
    """One public connection: subscribe, build minutes, let REST supply what the trades cannot tell."""

    vendor = "coinbase"

    def __init__(
        self, settings: CollectorSettings, clock: Clock, log: Logger, client: httpx.AsyncClient | None = None
    ) -> None:
        """Point at the hosts in the settings."""
        self._settings = settings
        self._log = log
        self._rest = CoinbaseRest(settings, clock, client)
        self._minutes = CoinbaseMinutes(timedelta(seconds=settings.exchange_grace_seconds))
        self._repair = CoinbaseRepair(self._minutes, self._rest, settings, log)

    @property
    def trouble(self) -> str | None:
        """What REST fails with just now."""
        return self._rest.trouble

    async def supported(self, instruments: Sequence[Instrument]) -> dict[str, str]:
        """Return for each symbol the exchange does not trade the reason why it is left out."""
        products = await self._rest.products()
        refused: dict[str, str] = {}
        for each in instruments:
            ticker = each.vendor_tickers.get(self.vendor)
            if ticker is None:
                refused[each.symbol] = "universe.toml has no coinbase product for it"
            elif ticker not in products:
                refused[each.symbol] = f"coinbase does not list {ticker}"
            elif products[ticker]:
                refused[each.symbol] = f"coinbase lists {ticker}, but {products[ticker]}"
        return refused

    async def now(self) -> datetime:
        """Return the exchange's own time."""
        return await self._rest.now()

    def reach(self, timeframe: Timeframe) -> None:
        """Return None: the vendor keeps all its history."""
        del timeframe

    async def history(
        self, instrument: Instrument, timeframe: Timeframe, first: datetime, end: datetime
    ) -> BarTable:
        """Return the closed bars that open in [first, end), ascending; the newest minutes may lag."""
        product = instrument.vendor_tickers[self.vendor]
        try:
            table = await self._rest.candles(product, timeframe, first, end)
        except RequestRefusedError as error:
            if product in await self._rest.products():
                raise
            # A product that was delisted meanwhile must not hold up the history of the others.
            self._log.warning(
                "the exchange no longer lists a symbol", action="symbol_delisted", symbol=instrument.symbol,
                error=str(error),
            )
            return NO_CANDLES
        known = self._minutes.products.get(product)
        if known is None or timeframe is not Timeframe.M1 or self._minutes.now is None:
            return table
        return agreed(table, known, self._minutes.now - timedelta(seconds=self._settings.candle_lag_seconds))

    async def close(self) -> None:
        """Let go of the REST connections."""
        await self._rest.close()

    async def stream(
        self, instruments: Sequence[Instrument], sink: Sink, subscribed: Callable[[], Awaitable[None]]
    ) -> None:
        """Stream until the connection ends, which raises FeedError.

        The minute in which the connection begins is left to REST, and so is one of which trades are missing.
        """
        symbols = {each.vendor_tickers[self.vendor]: each.symbol for each in instruments}
        self._minutes.connected(symbols)
        session = CoinbaseSession(symbols, self._minutes, sink, self._log)
        url = self._settings.coinbase_ws_url
        with feed_errors(url, "COINBASE_WS_URL"):
            async with connect(url, **connect_options(self._settings)) as connection:
                beside = (subscribed, lambda: self._repair.run(sink))
                await read(connection, session, self._settings, self._log, beside)


class CoinbaseSession:
    """One connection's subscriptions, and its messages on their way to minutes."""

    beats = True

    def __init__(self, symbols: dict[str, str], minutes: CoinbaseMinutes, sink: Sink, log: Logger) -> None:
        """Ask for every product to begin with."""
        self._symbols = dict(symbols)
        self._minutes = minutes
        self._sink = sink
        self._log = log
        self._silence = SilenceWatch(HEARTBEATS_LOST)
        self._outgoing = [_request("subscribe", self._symbols)]
        self.awaited = _subscriptions_of(symbols)

    def take_outgoing(self) -> list[str]:
        """Return the frames to send now."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def tick(self) -> None:
        """Do nothing: only the exchange's own time makes a minute due."""

    def look(self) -> None:
        """Subscribe to everything again where a product has no heartbeats."""
        silent = self._silence.take_silent(self._symbols)
        if silent:
            self._log.warning(
                "subscriptions seem to be lost and are asked for again",
                action="subscription_lost",
                symbols=sorted(self._symbols[product] for product in silent),
            )
            self.awaited |= _subscriptions_of(silent)
            self.ask_again()

    def ask_again(self) -> None:
        """Subscribe to everything again, and first give up what is not acknowledged: the exchange counts."""
        missing = sorted(product for product in self._symbols if self.awaited & _subscriptions_of([product]))
        self._outgoing += [_request("unsubscribe", missing), _request("subscribe", self._symbols)]

    def take(self, frame: str | bytes) -> bool:
        """Hand on the bars that a frame makes due; only a trade is a sign of life."""
        message = parse_frame(frame, self._symbols)
        if message is None:
            return False
        items = self._items(message)
        if items:
            self._sink(items)
        return isinstance(message, Trade) and not message.history

    def _items(self, message: Message) -> Sequence[Item]:
        match message:
            case Trade():
                return self._minutes.take(message)
            case Heartbeat():
                self._silence.heard(message.product, message.ts)
                return self._minutes.heard(message)
            case Subscriptions():
                for channel, products in message.channels.items():
                    self.awaited.difference_update(f"{channel} {product}" for product in products)
                return []
            case Refusal():
                self._without_refused(message)
                return []
            case rejection:
                return [rejection]

    def _without_refused(self, refusal: Refusal) -> None:
        """Subscribe again without the products an error names: one of them refuses the whole request."""
        named = {product for product in self._symbols if product in refusal.message.replace(",", " ").split()}
        if not named or len(named) == len(self._symbols):
            raise FeedError(f"the exchange refused a request: {refusal.message}")
        self._log.warning(
            "the exchange does not stream some symbols",
            action="symbols_refused",
            symbols=sorted(self._symbols[product] for product in named),
            text=refusal.message,
        )
        for product in named:
            del self._symbols[product]
            self._minutes.without(product)
        self.awaited -= _subscriptions_of(named)
        self._outgoing = [_request("subscribe", self._symbols)]


def _subscriptions_of(products: Iterable[str]) -> set[str]:
    return {f"{channel} {product}" for channel in CHANNELS for product in products}


def _request(kind: str, products: Iterable[str]) -> str:
    return orjson.dumps({"type": kind, "product_ids": list(products), "channels": list(CHANNELS)}).decode()

"""Kraken: the exchange's own minutes, without a key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta

import httpx
import orjson
from tracker.domain.bar import Bar
from tracker.domain.clock import Clock
from tracker.domain.errors import FeedError
from tracker.domain.instrument import Instrument
from tracker.domain.timeframe import Timeframe
from tracker.runtime.logging import Logger
from tracker.store.bars import BarTable, Rejection
from websockets.asyncio.client import connect

from services.data_collector.buffer import Item
from services.data_collector.feeds.base import Sink
from services.data_collector.feeds.kraken_candles import ExchangeTime, KrakenCandles
from services.data_collector.feeds.kraken_messages import Answer, Candles, SystemStatus, parse_frame
from services.data_collector.feeds.kraken_rest import CANDLES_KEPT, NO_CANDLES, KrakenRest
from services.data_collector.feeds.reading import connect_options, feed_errors, read
from services.data_collector.feeds.rest import RequestRefusedError
from services.data_collector.feeds.silence import SilenceWatch
from services.data_collector.settings import CollectorSettings

# What the answer to a second subscription says.
HELD_ALREADY = "already subscribed"


class KrakenFeed:
    """One public connection: subscribe, and hand each candle on when it is closed."""

    vendor = "kraken"

    def __init__(
        self, settings: CollectorSettings, clock: Clock, log: Logger, client: httpx.AsyncClient | None = None
    ) -> None:
        """Point at the hosts in the settings."""
        self._settings = settings
        self._log = log
        self._clock = clock
        self._rest = KrakenRest(settings, clock, client)
        self._time = ExchangeTime()

    @property
    def trouble(self) -> str | None:
        """What REST fails with just now."""
        return self._rest.trouble

    async def supported(self, instruments: Sequence[Instrument]) -> dict[str, str]:
        """Return for each symbol the exchange does not trade the reason why it is left out."""
        pairs = await self._rest.pairs()
        refused: dict[str, str] = {}
        for each in instruments:
            ticker = each.vendor_tickers.get(self.vendor)
            if ticker is None:
                refused[each.symbol] = "universe.toml has no kraken pair for it"
            elif ticker not in pairs:
                refused[each.symbol] = f"kraken does not list {ticker}"
            elif pairs[ticker] != "online":
                refused[each.symbol] = f"kraken lists {ticker}, but its status is {pairs[ticker]}"
        return refused

    async def now(self) -> datetime:
        """Return the exchange's own time."""
        now = await self._rest.now()
        self._time.told(now, self._clock.monotonic())
        return now

    @staticmethod
    def reach(timeframe: Timeframe) -> timedelta:
        """Return how far back `history` can go: what is older the exchange does not tell."""
        return (CANDLES_KEPT - 1) * timeframe.duration

    async def history(
        self, instrument: Instrument, timeframe: Timeframe, first: datetime, end: datetime
    ) -> BarTable:
        """Return the closed bars that open in [first, end), ascending, as far back as `reach`."""
        now = self._time.at(self._clock.monotonic()) or await self.now()
        if end <= now - self.reach(timeframe):
            # Asking could only bring an answer without candles, at one request a second.
            return NO_CANDLES
        pair = instrument.vendor_tickers[self.vendor]
        try:
            return await self._rest.candles(pair, timeframe, first, end)
        except RequestRefusedError as error:
            if pair in await self._rest.pairs():
                raise
            # A pair that was delisted meanwhile must not hold up the history of the others.
            self._log.warning(
                "the exchange no longer lists a symbol", action="symbol_delisted", symbol=instrument.symbol,
                error=str(error),
            )
            return NO_CANDLES

    async def close(self) -> None:
        """Let go of the REST connections."""
        await self._rest.close()

    async def stream(
        self, instruments: Sequence[Instrument], sink: Sink, subscribed: Callable[[], Awaitable[None]]
    ) -> None:
        """Stream until the connection ends, which raises FeedError.

        The first bar is as whole as any: the exchange builds minutes, and its snapshot holds the open one.
        """
        symbols = {each.vendor_tickers[self.vendor]: each.symbol for each in instruments}
        session = KrakenSession(symbols, self._settings, self._clock, sink, self._log)
        url = self._settings.kraken_ws_url
        with feed_errors(url, "KRAKEN_WS_URL"):
            async with connect(url, **connect_options(self._settings)) as connection:
                await read(connection, session, self._settings, self._log, (subscribed,))


class KrakenSession:
    """One connection's subscriptions and open candles."""

    beats = True

    def __init__(
        self, symbols: dict[str, str], settings: CollectorSettings, clock: Clock, sink: Sink, log: Logger
    ) -> None:
        """Ask for every pair to begin with."""
        self._symbols = symbols
        self._pairs = {symbol: pair for pair, symbol in symbols.items()}
        self._clock = clock
        self._sink = sink
        self._log = log
        self._time = ExchangeTime()
        self._candles = KrakenCandles(timedelta(seconds=settings.exchange_grace_seconds))
        self._silence = SilenceWatch(timedelta(seconds=settings.quiet_symbol_seconds))
        self._doubted: set[str] = set()
        self._refused: set[str] = set()
        self._outgoing = [_subscription(symbols)]
        self.awaited = set(symbols)

    def take_outgoing(self) -> list[str]:
        """Return the frames to send now."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def tick(self) -> None:
        """Hand on the candles that are closed by the exchange's time."""
        now = self._time.at(self._clock.monotonic())
        self._hand_on(self._candles.due(now) if now is not None else [])

    def look(self) -> None:
        """Subscribe again to pairs that have been silent for long: an error tells that nothing was lost."""
        silent = self._silence.take_silent(pair for pair in self._symbols if pair not in self._refused)
        if silent:
            self._doubted = set(silent)
            self.awaited |= self._doubted
            self._outgoing.append(_subscription(silent))

    def ask_again(self) -> None:
        """Subscribe once more to what was not acknowledged."""
        self._outgoing.append(_subscription(sorted(self.awaited)))

    def take(self, frame: str | bytes) -> bool:
        """Hand on the bars that a frame closes; only an update is a sign of life."""
        message = parse_frame(frame, self._symbols)
        match message:
            case Candles():
                return self._take_candles(message)
            case Answer():
                self._note(message)
            case SystemStatus(system=system) if system != "online":
                self._log.warning("the exchange is not fully online", action="vendor_status", status=system)
            case Rejection():
                self._hand_on([message])
            case _:
                pass
        return False

    def _take_candles(self, message: Candles) -> bool:
        if message.said_at is not None:
            self._heard(message.said_at)
        self._hand_on([each for each in message.bars if isinstance(each, Rejection)])
        self._hand_on(self._candles.take(message.bars))
        bars = [each for each in message.bars if isinstance(each, Bar)]
        for bar in bars:
            self._silence.heard(self._pairs[bar.symbol], message.said_at or bar.ts)
        return not message.snapshot and bool(bars)

    def _note(self, answer: Answer) -> None:
        if answer.said_at is not None:
            self._heard(answer.said_at)
        self.awaited.discard(answer.pair)
        if not answer.error:
            self._tell_of_restored(answer.pair)
            return
        if answer.pair in self._doubted or HELD_ALREADY in answer.error.lower():
            # It was subscribed all the time.
            self._doubted.discard(answer.pair)
            return
        self._refused |= {answer.pair} & self._symbols.keys()
        if answer.pair not in self._symbols or len(self._refused) == len(self._symbols):
            raise FeedError(f"the exchange refused a subscription: {answer.error}")
        self._log.warning(
            "the exchange does not stream a symbol",
            action="symbols_refused",
            symbols=[self._symbols[answer.pair]],
            text=answer.error,
        )

    def _tell_of_restored(self, pair: str) -> None:
        if pair in self._doubted:
            self._doubted.discard(pair)
            self._log.warning(
                "a lost subscription was restored", action="subscription_restored", symbols=[self._symbols[pair]]
            )

    def _heard(self, moment: datetime) -> None:
        self._time.told(moment, self._clock.monotonic())
        self._candles.began(moment)

    def _hand_on(self, items: Sequence[Item]) -> None:
        if items:
            self._sink(items)


def _subscription(pairs: Iterable[str]) -> str:
    wanted = {"channel": "ohlc", "symbol": list(pairs), "interval": 1, "snapshot": True}
    return orjson.dumps({"method": "subscribe", "params": wanted}).decode()

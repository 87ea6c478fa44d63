"""Sets the minutes built from trades beside the exchange's own candles, once those have caught up."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from prometheus_client import Counter
from tracker.domain.bar import Bar, BarSource
from tracker.domain.errors import FeedError
from tracker.domain.timeframe import Timeframe
from tracker.runtime.logging import Logger
from tracker.store.bars import BarTable

from services.data_collector.buffer import Item
from services.data_collector.feeds.base import Sink
from services.data_collector.feeds.coinbase_messages import SOURCE
from services.data_collector.feeds.coinbase_minutes import MINUTE, YOUNG, CoinbaseMinutes, ProductMinutes
from services.data_collector.feeds.coinbase_rest import CoinbaseRest
from services.data_collector.rest_bars import bars_of
from services.data_collector.settings import CollectorSettings

COMPARED = Counter("tracker_feed_compared_total", "Minutes compared with the exchange's own candles", ["outcome"])
# What was missed longer ago is repaired at the connection.
LONGEST_LOOK = timedelta(hours=5)
FIGURES = ("open", "high", "low", "close", "volume")


class CoinbaseRepair:
    """Asks for the minutes the trades cannot tell soon, and for all minutes when the candles are settled."""

    def __init__(
        self, minutes: CoinbaseMinutes, rest: CoinbaseRest, settings: CollectorSettings, log: Logger
    ) -> None:
        """Compare `minutes` with what `rest` says."""
        self._minutes = minutes
        self._rest = rest
        self._settings = settings
        self._log = log
        self._lag = timedelta(seconds=settings.candle_lag_seconds)
        self._settled: dict[str, datetime] = {}

    async def run(self, sink: Sink) -> None:
        """Go on until cancelled; what cannot be asked now is asked the next time."""
        loop = asyncio.get_running_loop()
        settled_at = loop.time()
        while True:
            await asyncio.sleep(self._settings.candle_repair_seconds)
            settling = loop.time() - settled_at >= self._settings.reconcile_seconds
            if settling:
                settled_at = loop.time()
            for product, known in list(self._minutes.products.items()):
                try:
                    await (self.settle(product, known, sink) if settling else self.fill(product, known, sink))
                except FeedError as error:
                    self._log.warning(
                        "candles cannot be compared yet", action="candles_wait", symbol=known.symbol, error=str(error)
                    )

    async def fill(self, product: str, known: ProductMinutes, sink: Sink) -> None:
        """Ask for withheld minutes that are over; those without a candle are asked for again."""
        over = self._minutes.over
        wanted = sorted(ts for ts in known.withheld if over is not None and ts < over)
        if wanted:
            table = await self._rest.candles(product, Timeframe.M1, wanted[0], wanted[-1] + MINUTE)
            chosen = set(wanted)
            sink(supplied(known, (item for item in _items(table, known) if item.ts in chosen)))

    async def settle(self, product: str, known: ProductMinutes, sink: Sink) -> None:
        """Compare all minutes whose candles have settled; where REST has none of a withheld one, it was empty."""
        if self._minutes.now is None or self._minutes.began is None:
            return
        end = Timeframe.M1.floor(self._minutes.now - self._lag)
        # From before the first connection on: what REST said when it began may have been behind.
        start = max(self._settled.get(product, self._minutes.began - YOUNG), end - LONGEST_LOOK)
        if start < end:
            table = await self._rest.candles(product, Timeframe.M1, start, end)
            sink(supplied(known, _items(table, known)))
            known.withheld = {ts for ts in known.withheld if ts >= end}
            self._settled[product] = end
        await self.fill(product, known, sink)


def agreed(table: BarTable, known: ProductMinutes, settled: datetime) -> BarTable:
    """Return the candles with our own figures where they say the same: ours know VWAP and the number of trades.

    From `settled` on a candle may still lack trades, and what the trades gave as a whole is believed instead.
    """
    columns = {name: getattr(table, name).copy() for name in FIGURES}
    vwap, trades = np.full(len(table), np.nan), np.zeros(len(table), dtype=np.int32)
    for ts, ours in known.sent.items():
        index = int(np.searchsorted(table.ts, ts.timestamp()))
        if index == len(table) or table.ts[index] != ts.timestamp():
            continue
        whole = ours.source is BarSource.STREAM and ts not in known.withheld
        if (whole and ts >= settled) or _close(_figures(ours), [columns[name][index] for name in FIGURES]):
            for name in FIGURES:
                columns[name][index] = getattr(ours, name)
            vwap[index], trades[index] = ours.vwap, ours.trades
    return BarTable(ts=table.ts, vwap=vwap, trades=trades, **columns)


def _items(table: BarTable, known: ProductMinutes) -> Iterable[Item]:
    return bars_of(table, known.symbol, Timeframe.M1, SOURCE)


def supplied(known: ProductMinutes, candles: Iterable[Item]) -> list[Item]:
    """Return the candles that say something new, taken note of."""
    news: list[Item] = []
    for item in candles:
        if not isinstance(item, Bar):
            news.append(item)
            continue
        ours = known.sent.get(item.ts)
        if ours is not None and _close(_figures(ours), _figures(item)):
            COMPARED.labels("same").inc()
            if item.ts in known.withheld:
                # Nothing of it was missing; later trades of it go to REST all the same.
                known.supply(replace(ours, source=BarSource.REST))
            continue
        COMPARED.labels("supplied" if ours is None else "corrected").inc()
        known.supply(item)
        news.append(item)
    return news


def _figures(bar: Bar) -> list[float]:
    return [getattr(bar, name) for name in FIGURES]


def _close(ours: Iterable[float], theirs: Iterable[float]) -> bool:
    """Tell whether two bars say the same but for the last digit of a sum."""
    return all(math.isclose(mine, other, rel_tol=1e-9) for mine, other in zip(ours, theirs, strict=True))

"""Kraken's REST interface: pairs, time and candles."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import httpx
import numpy as np
from tracker.domain.clock import Clock
from tracker.domain.errors import FeedError
from tracker.domain.timeframe import Timeframe
from tracker.store.bars import BarTable

from services.data_collector.feeds.polygon_messages import LARGEST_NUMBER
from services.data_collector.feeds.rest import RequestRefusedError, VendorRest
from services.data_collector.settings import CollectorSettings

# One a second stays within the limits of the public endpoints.
REQUESTS_PER_MINUTE = 60
# The REST interface still goes by these names; the stream goes by the usual ones.
LEGACY_ASSETS = {"XBT": "BTC", "XDG": "DOGE"}
# All that is ever returned, whatever is asked for.
CANDLES_KEPT = 720


class KrakenRest(VendorRest):
    """Asks the exchange of the settings."""

    def __init__(
        self, settings: CollectorSettings, clock: Clock, client: httpx.AsyncClient | None = None
    ) -> None:
        """Make a client of the host in the settings."""
        super().__init__(
            settings.kraken_rest_url, settings, clock, client, requests_per_minute=REQUESTS_PER_MINUTE
        )
        self._names: dict[str, str] = {}

    def judge(self, body: Any) -> Any:
        """Return what the exchange answered; its errors come with status 200."""
        if not isinstance(body, dict):
            raise FeedError(f"{self.base} answered {str(body)[:200]!r}, an object was expected")
        errors = [str(each) for each in body.get("error") or []]
        # A warning begins with W and comes beside a result.
        told = "; ".join(each for each in errors if not each.startswith("W"))
        if "Too many requests" in told or "Rate limit" in told:
            raise self.rate_limited(told)
        if "EQuery" in told or "EGeneral:Invalid" in told:
            raise RequestRefusedError(f"{self.base} refused a request: {told}")
        if told:
            raise FeedError(f"{self.base} answered: {told}")
        return body.get("result")

    async def now(self) -> datetime:
        """Return the exchange's time, which it states in whole seconds."""
        self.check()
        body = await self.get("/0/public/Time")
        stated = body.get("unixtime") if isinstance(body, dict) else body
        if isinstance(stated, bool) or not isinstance(stated, int) or not 0 < stated < 4_102_444_800:
            raise FeedError(f"{self.base} says unixtime = {stated!r}, which is no time")
        return datetime.fromtimestamp(stated, UTC)

    async def pairs(self) -> dict[str, str]:
        """Return the status of every pair, by the name it has on the stream."""
        body = await self.get("/0/public/AssetPairs")
        found: dict[str, str] = {}
        for facts in body.values() if isinstance(body, dict) else ():
            name = facts.get("wsname") if isinstance(facts, dict) else None
            if isinstance(name, str):
                pair = "/".join(LEGACY_ASSETS.get(asset, asset) for asset in name.split("/"))
                found[pair] = str(facts.get("status", "online"))
                self._names[pair] = str(facts.get("altname"))
        return found

    async def candles(self, pair: str, timeframe: Timeframe, first: datetime, end: datetime) -> BarTable:
        """Return the closed bars that open in [first, end), ascending, as far back as the exchange keeps them."""
        if pair not in self._names:
            await self.pairs()
        name = self._names.get(pair)
        if name is None:
            raise RequestRefusedError(f"{self.base} does not list {pair}")
        parameters = {
            "pair": name,
            "interval": str(timeframe.seconds // 60),
            "since": str(int(first.timestamp()) - 1),
        }
        body = await self.get("/0/public/OHLC", parameters)
        rows = next((value for key, value in body.items() if key != "last"), None) if isinstance(body, dict) else None
        if not isinstance(rows, list):
            raise FeedError(f"{self.base} answered {str(body)[:200]!r} instead of candles of {pair}")
        # The last one is still open.
        closed = (_row(row) for row in rows[:-1])
        wanted = (row for row in closed if first.timestamp() <= row[0] < end.timestamp() and row[7] != 0)
        return _table(list(wanted))


def _row(row: Any) -> list[float]:
    """Return time, open, high, low, close, volume, VWAP and count; minutes without trades have a count of 0.

    What is no number becomes NaN, and its bar a rejection.
    """
    values = [_number(value) for value in row] if isinstance(row, list) else []
    ts, opened, high, low, close, vwap, volume, count = (values + [math.nan] * 8)[:8]
    return [ts, opened, high, low, close, volume, vwap, count]


def _number(value: Any) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return math.nan
    return number if abs(number) <= LARGEST_NUMBER else math.nan


def _table(rows: list[list[float]]) -> BarTable:
    ordered = sorted({row[0]: row for row in rows}.values(), key=lambda row: row[0])
    columns = np.array(ordered, dtype=np.float64).reshape(-1, 8).T.copy()
    return BarTable(
        ts=columns[0].astype(np.int64),
        open=columns[1],
        high=columns[2],
        low=columns[3],
        close=columns[4],
        volume=columns[5],
        vwap=columns[6],
        trades=np.nan_to_num(columns[7]).clip(0, 2_147_483_647).astype(np.int32),
    )


NO_CANDLES = _table([])

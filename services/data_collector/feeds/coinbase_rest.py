"""Coinbase's REST interface: products, time and candles."""

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
from services.data_collector.feeds.rest import VendorRest
from services.data_collector.settings import CollectorSettings

# The exchange allows 10 a second.
REQUESTS_PER_MINUTE = 540
# The most of an answer is 300; one fewer fits whether or not the end is taken to be included.
CANDLES_PER_CALL = 299


class CoinbaseRest(VendorRest):
    """Asks the exchange of the settings."""

    def __init__(
        self, settings: CollectorSettings, clock: Clock, client: httpx.AsyncClient | None = None
    ) -> None:
        """Make a client of the host in the settings."""
        super().__init__(
            settings.coinbase_rest_url, settings, clock, client, requests_per_minute=REQUESTS_PER_MINUTE
        )

    async def now(self) -> datetime:
        """Return the exchange's time."""
        self.check()
        body = await self.get("/time")
        stated = body.get("iso") if isinstance(body, dict) else body
        try:
            moment = datetime.fromisoformat(str(stated))
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise FeedError(f"{self.base} says iso = {stated!r}, which is no time")
        return moment

    async def products(self) -> dict[str, str]:
        """Return every product the exchange lists, with why it is not traded, '' where it is."""
        body = await self.get("/products")
        rows = body if isinstance(body, list) else []
        return {str(row.get("id")): _obstacle(row) for row in rows if isinstance(row, dict)}

    async def candles(self, product: str, timeframe: Timeframe, first: datetime, end: datetime) -> BarTable:
        """Return the candles that open in [first, end), ascending; minutes without trades have none."""
        page = CANDLES_PER_CALL * timeframe.duration
        rows: list[list[float]] = []
        start = first
        while start < end:
            stop = min(start + page, end)
            body = await self.get(
                f"/products/{product}/candles",
                {"granularity": str(timeframe.seconds), "start": _iso(start), "end": _iso(stop)},
            )
            if not isinstance(body, list):
                raise FeedError(f"{self.base} answered {str(body)[:200]!r} instead of candles of {product}")
            page_rows = (_row(row) for row in body)
            # Some may precede the start that was asked for.
            rows.extend(row for row in page_rows if start.timestamp() <= row[0] < stop.timestamp())
            start = stop
        return _table(rows)


def _obstacle(row: dict[str, Any]) -> str:
    if row.get("status") != "online":
        return f"its status is {row.get('status')}"
    return "trading is disabled" if row.get("trading_disabled") is True else ""


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _row(row: Any) -> list[float]:
    """Return time, open, high, low, close and volume; what is no number becomes NaN and its bar a rejection."""
    values = [_number(value) for value in row] if isinstance(row, list) else []
    ts, low, high, opened, close, volume = (values + [math.nan] * 6)[:6]
    return [ts, opened, high, low, close, volume]


def _number(value: Any) -> float:
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LARGEST_NUMBER
    return float(value) if usable else math.nan


def _table(rows: list[list[float]]) -> BarTable:
    ordered = sorted({row[0]: row for row in rows}.values(), key=lambda row: row[0])
    columns = np.array(ordered, dtype=np.float64).reshape(-1, 6).T.copy()
    return BarTable(
        ts=columns[0].astype(np.int64),
        open=columns[1],
        high=columns[2],
        low=columns[3],
        close=columns[4],
        volume=columns[5],
    )


NO_CANDLES = _table([])

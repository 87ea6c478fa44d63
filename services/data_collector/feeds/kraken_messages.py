"""Kraken's stream frames (version 2) as candles, answers or rejections."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import orjson
from tracker.domain.bar import Bar
from tracker.domain.timeframe import Timeframe
from tracker.store.bars import Rejection

from services.data_collector.feeds.polygon_messages import LARGEST_NUMBER, MARKET_BEGAN
from services.data_collector.feeds.rejected import rejected_frame, rejected_item

SOURCE = "kraken"
_NUMBERS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candles:
    """Candles as they stand, closed or not; `snapshot` where they are what was before the subscription."""

    bars: tuple[Bar | Rejection, ...]
    snapshot: bool
    said_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a subscription, one a pair; `error` is empty where it was accepted."""

    pair: str
    error: str
    said_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStatus:
    """How the exchange does: online, maintenance, cancel_only or post_only."""

    system: str


Message: TypeAlias = Candles | Answer | SystemStatus | Rejection


def parse_frame(frame: str | bytes, symbols: Mapping[str, str]) -> Message | None:
    """Read a frame, one JSON object; `symbols` maps the pairs to our symbols.

    None for what does not concern us, a Rejection with its reason for what cannot be read.
    """
    try:
        item: Any = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        return rejected_frame(SOURCE, frame, f"the frame is not JSON: {error}")
    if not isinstance(item, dict):
        return rejected_item(SOURCE, item, f"an object was expected, not {type(item).__name__}")
    # What it cannot make sense of at all it answers as `error`.
    if item.get("method") in ("subscribe", "error"):
        return _answer(item)
    rows = item.get("data")
    if item.get("channel") == "ohlc":
        return Candles(
            bars=tuple(_bar(row, symbols) for row in (rows if isinstance(rows, list) else [])),
            snapshot=item.get("type") == "snapshot",
            said_at=_moment(item.get("timestamp")),
        )
    if item.get("channel") == "status" and isinstance(rows, list) and rows and isinstance(rows[0], dict):
        return SystemStatus(system=str(rows[0].get("system", "")))
    return None


def _answer(item: dict[str, Any]) -> Answer:
    result = item.get("result")
    pair = item.get("symbol") or (result.get("symbol") if isinstance(result, dict) else None)
    error = "" if item.get("success") is True else str(item.get("error") or "refused without a reason")
    return Answer(pair=str(pair or ""), error=error, said_at=_moment(item.get("time_out")))


def _bar(row: Any, symbols: Mapping[str, str]) -> Bar | Rejection:
    if not isinstance(row, dict):
        return rejected_item(SOURCE, row, f"a candle was expected, not {type(row).__name__}")
    pair = row.get("symbol")
    symbol = symbols.get(pair) if isinstance(pair, str) else None
    if symbol is None:
        return rejected_item(SOURCE, row, f"symbol is {pair!r}, a pair that was not subscribed")
    ts = _moment(row.get("interval_begin"))
    if ts is None:
        told = f"interval_begin is {row.get('interval_begin')!r}, not a moment of a crypto market"
        return rejected_item(SOURCE, row, told, symbol)
    if row.get("interval") != 1:
        return rejected_item(SOURCE, row, f"interval is {row.get('interval')!r}, a minute was expected", symbol)
    numbers: list[float] = []
    for name in _NUMBERS:
        value = row.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > LARGEST_NUMBER:
            return rejected_item(SOURCE, row, f"{name} is {value!r}, a number was expected", symbol, ts)
        numbers.append(float(value))
    opened, high, low, close, volume = numbers
    bar = Bar(
        symbol=symbol,
        timeframe=Timeframe.M1,
        ts=ts,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=volume,
        vwap=_positive_or_nan(row.get("vwap")),
        trades=_count(row.get("trades")),
    )
    defect = bar.defect()
    return bar if defect is None else rejected_item(SOURCE, row, defect, symbol, ts)


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo is not None and moment >= MARKET_BEGAN else None


def _positive_or_nan(value: Any) -> float:
    usable = isinstance(value, (int, float)) and math.isfinite(value) and value > 0
    return float(value) if usable else math.nan


def _count(value: Any) -> int:
    return min(value, 2_147_483_647) if isinstance(value, int) and value > 0 else 0

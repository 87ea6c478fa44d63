"""Polygon's stream frames as bars, status messages or rejections."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import orjson
from tracker.domain.bar import Bar, BarSource
from tracker.domain.timeframe import EPOCH, Timeframe
from tracker.store.bars import Rejection

SOURCE = "polygon"
LONGEST_FRAME = 2_000
LONGEST_SYMBOL = 40
# Sums of larger numbers leave what the database can hold.
LARGEST_NUMBER = 1e18
# The first block of the first chain: what claims to be older would only make months of empty partitions.
MARKET_BEGAN = datetime(2009, 1, 3, tzinfo=UTC)
_PRICES = ("o", "h", "l", "c", "v")


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A status message such as auth_success or max_connections."""

    status: str
    message: str


Message: TypeAlias = Bar | Status | Rejection


def parse_frame(frame: str | bytes, symbols: Mapping[str, str]) -> list[Message]:
    """Read a text frame, one JSON array of objects.

    `symbols` maps the vendor's stream ticker to our symbol. What cannot be read comes back as a
    Rejection with its reason; other channels' messages are passed over.
    """
    try:
        parsed: Any = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        return [_rejection(_text(frame), f"the frame is not JSON: {error}", whole_frame=True)]
    messages: list[Message] = []
    for item in parsed if isinstance(parsed, list) else [parsed]:
        message = _parse_item(item, symbols)
        if message is not None:
            messages.append(message)
    return messages


def _parse_item(item: Any, symbols: Mapping[str, str]) -> Message | None:
    if not isinstance(item, dict):
        return _rejection(_dump(item), f"an object was expected, not {type(item).__name__}")
    kind = item.get("ev")
    if kind == "status":
        return Status(status=str(item.get("status", "")), message=str(item.get("message", "")))
    if kind == "XA":
        return _parse_bar(item, symbols)
    if kind in ("XT", "XAS", "XQ", "XL2"):
        return None
    return _rejection(_dump(item), f"ev is {kind!r}, not a channel we know")


def _parse_bar(item: dict[str, Any], symbols: Mapping[str, str]) -> Bar | Rejection:
    pair = item.get("pair")
    symbol = symbols.get(pair) if isinstance(pair, str) else None
    if symbol is None:
        return _rejection(_dump(item), f"pair is {pair!r}, a symbol that was not subscribed", str(pair))
    start, end = item.get("s"), item.get("e")
    ts, timeframe = _moment(start), _length(start, end)
    numbers: dict[str, float] = {}
    for name in _PRICES:
        value = item.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return _rejection(_dump(item), f"{name} is {value!r}, a number was expected", symbol, timeframe, ts)
        if abs(value) > LARGEST_NUMBER:
            return _rejection(_dump(item), f"{name} is {value!r}, an absurd number", symbol, timeframe, ts)
        numbers[name] = float(value)
    if not isinstance(start, int) or not isinstance(end, int):
        return _rejection(
            _dump(item), f"s is {start!r} and e is {end!r}, Unix milliseconds were expected", symbol
        )
    if timeframe is None:
        return _rejection(_dump(item), f"e - s is {end - start} ms, not a bar length we know", symbol)
    if ts is None:
        return _rejection(_dump(item), f"s is {start}, not a moment of a crypto market", symbol, timeframe)
    return _checked(item, symbol, timeframe, ts, numbers)


def _length(start: Any, end: Any) -> Timeframe | None:
    if not isinstance(start, int) or not isinstance(end, int) or (end - start) % 1000:
        return None
    return Timeframe.of_seconds((end - start) // 1000)


def _checked(
    item: dict[str, Any], symbol: str, timeframe: Timeframe, ts: datetime, numbers: dict[str, float]
) -> Bar | Rejection:
    bar = Bar(
        symbol=symbol,
        timeframe=timeframe,
        ts=ts,
        open=numbers["o"],
        high=numbers["h"],
        low=numbers["l"],
        close=numbers["c"],
        volume=numbers["v"],
        vwap=_positive_or_nan(item.get("vw")),
        trades=_trades(item.get("z"), numbers["v"]),
        source=BarSource.STREAM,
    )
    defect = bar.defect()
    if defect is not None:
        return _rejection(_dump(item), defect, symbol, timeframe, ts)
    return bar


def _moment(milliseconds: Any) -> datetime | None:
    if not isinstance(milliseconds, int):
        return None
    try:
        moment = EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None
    return moment if moment >= MARKET_BEGAN else None


def _positive_or_nan(value: Any) -> float:
    usable = isinstance(value, (int, float)) and math.isfinite(value) and value > 0
    return float(value) if usable else math.nan


def _trades(average_size: Any, volume: float) -> int:
    """Estimate the number of trades: the stream gives the average trade size only."""
    if isinstance(average_size, (int, float)) and average_size > 0:
        return round(min(volume / average_size, 2_147_483_647))
    return 0


def _rejection(
    frame: str,
    reason: str,
    symbol: str | None = None,
    timeframe: Timeframe | None = None,
    ts: datetime | None = None,
    *,
    whole_frame: bool = False,
) -> Rejection:
    return Rejection(
        source=SOURCE,
        reason=reason,
        frame=frame[:LONGEST_FRAME].replace("\0", ""),
        # Postgres takes no NUL in a text.
        symbol=None if symbol is None else symbol[:LONGEST_SYMBOL].replace("\0", ""),
        timeframe=None if timeframe is None else timeframe.value,
        ts=ts,
        whole_frame=whole_frame,
    )


def _text(frame: str | bytes) -> str:
    return frame if isinstance(frame, str) else frame.decode("utf-8", "replace")


def _dump(item: Any) -> str:
    return orjson.dumps(item).decode()

"""Coinbase's stream frames as trades, heartbeats, answers or rejections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

import orjson
from tracker.store.bars import Rejection

from services.data_collector.feeds.polygon_messages import LARGEST_NUMBER, MARKET_BEGAN
from services.data_collector.feeds.rejected import rejected_frame, rejected_item

SOURCE = "coinbase"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A match; `history` where it happened before the subscription and was sent to begin with."""

    product: str
    trade_id: int
    price: Decimal
    size: Decimal
    ts: datetime
    history: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The exchange's time, about once a second and product."""

    product: str
    last_trade_id: int
    ts: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriptions:
    """The products subscribed by channel, as the exchange now sees it."""

    channels: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An error the exchange sent."""

    message: str


Message: TypeAlias = Trade | Heartbeat | Subscriptions | Refusal | Rejection


def parse_frame(frame: str | bytes, symbols: Mapping[str, str]) -> Message | None:
    """Read a frame, one JSON object; `symbols` maps the products to our symbols.

    None for what does not concern us, a Rejection with its reason for what cannot be read.
    """
    try:
        item: Any = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        return rejected_frame(SOURCE, frame, f"the frame is not JSON: {error}")
    if not isinstance(item, dict):
        return rejected_item(SOURCE, item, f"an object was expected, not {type(item).__name__}")
    kind = item.get("type")
    if kind in ("match", "last_match"):
        return _trade(item, symbols, history=kind == "last_match")
    if kind == "heartbeat":
        return _heartbeat(item, symbols)
    if kind == "subscriptions":
        return Subscriptions(channels=_channels(item.get("channels")))
    if kind == "error":
        told = [str(item[name]) for name in ("message", "reason") if item.get(name)]
        return Refusal(message=": ".join(told))
    # The vendor adds kinds at any time and asks clients to pass over them.
    return None


def _trade(item: dict[str, Any], symbols: Mapping[str, str], *, history: bool) -> Trade | Rejection | None:
    product = item.get("product_id")
    symbol = symbols.get(product) if isinstance(product, str) else None
    if symbol is None or not isinstance(product, str):
        return rejected_item(SOURCE, item, f"product_id is {product!r}, a symbol that was not subscribed")
    ts = _moment(item.get("time"))
    if ts is None:
        return rejected_item(SOURCE, item, f"time is {item.get('time')!r}, not a moment of a crypto market", symbol)
    price, size = _amount(item.get("price")), _amount(item.get("size"))
    for name, value in (("price", price), ("size", size)):
        if value is None:
            reason = f"{name} is {item.get(name)!r}, a number above 0 was expected"
            return rejected_item(SOURCE, item, reason, symbol, ts)
    trade_id = item.get("trade_id")
    if not isinstance(trade_id, int) or price is None or size is None:
        return rejected_item(SOURCE, item, f"trade_id is {trade_id!r}, a number was expected", symbol, ts)
    return Trade(product=product, trade_id=trade_id, price=price, size=size, ts=ts, history=history)


def _heartbeat(item: dict[str, Any], symbols: Mapping[str, str]) -> Heartbeat | Rejection | None:
    product, ts = item.get("product_id"), _moment(item.get("time"))
    if not isinstance(product, str) or product not in symbols:
        return None
    if ts is None:
        return rejected_item(SOURCE, item, f"time is {item.get('time')!r}, not a moment of a crypto market")
    last = item.get("last_trade_id")
    return Heartbeat(product=product, last_trade_id=last if isinstance(last, int) else 0, ts=ts)


def _channels(listed: Any) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for channel in listed if isinstance(listed, list) else []:
        if isinstance(channel, dict):
            products = channel.get("product_ids")
            listed_products = products if isinstance(products, list) else []
            found[str(channel.get("name"))] = frozenset(str(each) for each in listed_products)
    return found


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo is not None and moment >= MARKET_BEGAN else None


def _amount(text: Any) -> Decimal | None:
    """Return a decimal number as the exchange wrote it: a sum of floats would differ from the exchange's own."""
    try:
        value = Decimal(text) if isinstance(text, str) else Decimal(repr(float(text)))
    except (InvalidOperation, TypeError, ValueError):
        return None
    # What is too small for a float would become a price of 0.
    return value if value.is_finite() and 0 < float(value) <= LARGEST_NUMBER else None

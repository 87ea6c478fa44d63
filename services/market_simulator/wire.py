"""The vendor's stream messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import orjson

Message: TypeAlias = dict[str, Any]


class Channel(StrEnum):
    """What a client may subscribe to: minute bars, second bars, trades."""

    MINUTES = "XA"
    SECONDS = "XAS"
    TRADES = "XT"


@dataclass(frozen=True, slots=True)
class Frame:
    """The bars (XA messages) that close at one moment, epoch seconds."""

    close: int
    bars: tuple[Message, ...]

    def of(self, pairs: Iterable[str]) -> Frame:
        """Return the part of the frame that concerns these pairs."""
        wanted = set(pairs)
        return Frame(self.close, tuple(bar for bar in self.bars if bar["pair"] in wanted))

    def without(self, pairs: Iterable[str]) -> Frame:
        """Return the part of the frame that concerns other pairs."""
        unwanted = set(pairs)
        return Frame(self.close, tuple(bar for bar in self.bars if bar["pair"] not in unwanted))


def encoded(messages: Iterable[Message]) -> str:
    """Return the messages as the one JSON array of a text frame."""
    return orjson.dumps(list(messages)).decode()


def status(kind: str, text: str) -> Message:
    """Return a status message."""
    return {"ev": "status", "status": kind, "message": text}


CONNECTED = status("connected", "Connected Successfully")
AUTHENTICATED = status("auth_success", "authenticated")
AUTH_FAILED = status("auth_failed", "authentication failed")
AUTH_TIMEOUT = status("auth_timeout", "authentication timed out")
NOT_AUTHORIZED = status("error", "not authorized")
MAX_CONNECTIONS = status("max_connections", "Maximum number of websocket connections exceeded. ")


def minute_bar(
    pair: str, start: int, span: int, values: tuple[Any, Any, Any, Any, Any], vwap: float, trades: float
) -> Message:
    """Return an XA message; `values` are open, high, low, close and volume, times epoch seconds."""
    opened, high, low, closed, volume = values
    size = round(volume / trades, 8) if trades else 0
    return {
        "ev": "XA", "pair": pair, "v": volume, "vw": vwap, "z": size, "o": opened, "c": closed,
        "h": high, "l": low, "s": start * 1000, "e": (start + span) * 1000,
    }


def trades_of(bar: Message) -> Iterator[Message]:
    """Yield four XT messages that would make this bar: its open, its extremes and its close."""
    values = (bar["o"], bar["h"], bar["l"], bar["c"])
    if any(isinstance(value, str) for value in (*values, bar["v"])):
        return
    rising = bar["c"] >= bar["o"]
    prices = (values[0], *((values[2], values[1]) if rising else (values[1], values[2])), values[3])
    span = bar["e"] - bar["s"]
    for index, price in enumerate(prices):
        at = bar["s"] + (index * 2 + 1) * span // 8
        yield {
            "ev": "XT", "pair": bar["pair"], "p": price, "t": at, "s": bar["v"] / 4,
            "c": [2 if rising else 1], "i": bar["s"] // 6000 + index, "x": 1, "r": at + 40,
        }


def second_bars_of(bar: Message) -> Iterator[Message]:
    """Yield XAS messages for the seconds in which the bar's trades fall."""
    for trade in trades_of(bar):
        start = trade["t"] // 1000 * 1000
        price, size = trade["p"], trade["s"]
        yield {
            "ev": "XAS", "pair": bar["pair"], "v": size, "vw": price, "z": size, "o": price, "c": price,
            "h": price, "l": price, "s": start, "e": start + 1000,
        }

"""How numbers, times and the kind of market are written for people."""

from __future__ import annotations

import math
from datetime import datetime
from zoneinfo import ZoneInfo

TAGS = {"simulated": "SIMULATED", "replay": "REPLAY"}
MEANINGS = {
    "SIMULATED": "this market is made up: no price and no profit in here is real",
    "REPLAY": "past bars are played again: nothing in here happens now",
}
UNKNOWN = "n/a"


def tag_of(source: str) -> str | None:
    """Return the mark of a market that is not the real one at its real time, None of one that is."""
    return TAGS.get(source)


def marked(text: str, tag: str | None) -> str:
    """Return a text that begins with the mark, if there is one."""
    return text if tag is None else f"[{tag}] {text}"


def money(amount: float | None, currency: str = "", *, sign: bool = False) -> str:
    """Return an amount to the cent, or without cents from 100,000 on."""
    if amount is None or not math.isfinite(amount):
        return UNKNOWN
    digits = 0 if abs(amount) >= 100_000 else 2
    # No "-0.00".
    shown = round(amount, digits) + 0.0
    return f"{shown:{'+' if sign and shown else ''},.{digits}f}{' ' + currency if currency else ''}"


def percent(share: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """Return a share as a percentage."""
    if share is None or not math.isfinite(share):
        return UNKNOWN
    shown = round(100 * share, digits) + 0.0
    return f"{shown:{'+' if sign and shown else ''},.{digits}f}%"


def price(value: float | None) -> str:
    """Return a price with as many digits as its size asks for."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value == 0:
        return "0"
    digits = max(0, 4 - math.floor(math.log10(abs(value)))) if abs(value) < 10_000 else 0
    return f"{value:,.{min(digits, 10)}f}"


def count(number: int | None) -> str:
    """Return a whole number."""
    return UNKNOWN if number is None else f"{number:,}"


def moment(at: datetime | None, zone: ZoneInfo) -> str:
    """Return day and time on a zone's wall."""
    return UNKNOWN if at is None else f"{at.astimezone(zone):%a %d %b %H:%M}"

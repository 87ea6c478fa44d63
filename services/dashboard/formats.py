"""Numbers as people read them; times are formatted in the browser, in the viewer's zone."""

from __future__ import annotations

NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def money(value: float | None) -> str:
    """Return an amount with two digits: 12,345.60."""
    return NONE if value is None else _signs(f"{value:,.2f}")


def signed(value: float | None) -> str:
    """Return an amount with its sign: +12.30."""
    return NONE if value is None else _signs(f"{value:+,.2f}")


def percent(fraction: float | None, digits: int = 1) -> str:
    """Return a fraction as per cent: 0.1234 is 12.3%."""
    return NONE if fraction is None else _signs(f"{100 * fraction:,.{digits}f}%")


def signed_percent(fraction: float | None, digits: int = 2) -> str:
    """Return a fraction as per cent with its sign: 0.0123 is +1.23%."""
    return NONE if fraction is None else _signs(f"{100 * fraction:+,.{digits}f}%")


def price(value: float | None) -> str:
    """Return a price with as many digits as its size asks for: 67,412.50, 0.084213."""
    if value is None:
        return NONE
    return _signs(f"{value:,.2f}" if abs(value) >= 1000 else f"{value:#.5g}")


def count(value: int | None) -> str:
    """Return a whole number: 12,345."""
    return NONE if value is None else _signs(f"{value:,}")


def megabytes(value: float | None) -> str:
    """Return bytes as MB: 67 MB."""
    return NONE if value is None else f"{value / 1e6:,.0f} MB"


def seconds(value: float | None) -> str:
    """Return a duration in the unit that suits it: 12 s, 4 min, 3 h, 2 d."""
    if value is None:
        return NONE
    for limit, size, unit in ((90, 1, "s"), (5_400, 60, "min"), (172_800, 3_600, "h")):
        if value < limit:
            return f"{value / size:.0f} {unit}"
    return f"{value / 86_400:.0f} d"


def words(name: str) -> str:
    """Return an identifier as words: trend_down is trend down."""
    return name.replace("_", " ")


def tone(value: float | None) -> str:
    """Return good, bad or plain by the sign of a figure."""
    if value is None or value == 0:
        return "plain"
    return "good" if value > 0 else "bad"


def _signs(text: str) -> str:
    return text.replace("-", MINUS)

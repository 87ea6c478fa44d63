"""What a table's columns are and how their values look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

# money 1,234.50 · signed +12.30, with its colour · price by its size · percent and signed_percent of a fraction
# · count 1,234 · bytes as MB · seconds as a duration · words for identifiers · status with its mark
# · severity, level and gap likewise · wrapped for sentences · plain for numbers that are names · brief below 10 s
# · time, clock, day, month (of UTC), moment and full in the viewer's zone · ago, counting on
Look = Literal[
    "text", "words", "status", "money", "signed", "price", "percent", "signed_percent", "number", "count", "bytes",
    "seconds", "time", "day", "moment", "full", "ago", "severity", "level", "gap", "wrapped", "plain", "brief", "clock",
    "month",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: `name` is the key in the rows, `hint` the key of what stands in its cells' tooltips."""

    name: str
    label: str
    look: Look = "text"
    hint: str | None = None
    width: int | None = None


def plain_rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows as a browser takes them: times as ISO text, decimals as numbers."""
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value

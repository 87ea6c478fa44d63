"""What is not as it was."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import Enum
from typing import Any

from tracker.domain.signal import Strategy
from tracker.quant.portfolio.book import moment_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not as it was: `was` is what stands in the database, `now` what the rules say today.

    `what` is look, signal, order, fill, trade, command or account, from order on of `account`; `inputs` are the
    features that went into a look, each as [was, now].
    """

    what: str
    strategy: str
    symbol: str
    decided_at: str
    name: str
    was: Any
    now: Any
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    account: str = ""


def difference(
    what: str, strategy: Strategy | str, symbol: str, seconds: int, name: str, was: Any, now: Any, account: str = ""
) -> Difference:
    return Difference(
        what=what,
        strategy=str(strategy),
        symbol=symbol,
        decided_at=moment_of(seconds).isoformat(),
        name=name,
        was=plain(was),
        now=plain(now),
        account=account,
    )


def facts_of(row: Any) -> dict[str, Any]:
    return {each.name: getattr(row, each.name) for each in fields(row)}


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it; exact decimals as text."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, str | int | bool) else str(value)

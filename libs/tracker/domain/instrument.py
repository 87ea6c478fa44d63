"""What is traded, and how the vendors call it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from tracker.domain.timeframe import Timeframe


class InstrumentStatus(StrEnum):
    """Whether bars are expected from a symbol."""

    ACTIVE = "active"
    UNSUPPORTED = "unsupported"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A symbol such as 'BTC-USD'.

    `vendor_tickers` maps a vendor's name to its ticker; `base_timeframe` is the finest bar length
    that this symbol has; quantities are multiples of `lot_step`, orders are worth at least
    `min_notional` (quote currency).
    """

    symbol_id: int
    symbol: str
    status: InstrumentStatus = InstrumentStatus.ACTIVE
    base_timeframe: Timeframe = Timeframe.M1
    lot_step: Decimal = Decimal("0.00000001")
    min_notional: Decimal = Decimal("10")
    vendor_tickers: Mapping[str, str] = field(default_factory=dict[str, str])

"""What a strategy proposes at a bar close, and what became of the look."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Strategy(str):
    """Name of a strategy: that of its rule's file, of its toml file, and in every row it leaves.

    At most 40 of a-z, 0-9 and _, a letter first; raises ValueError for anything else.
    """

    __slots__ = ()

    def __new__(cls, name: str) -> Self:
        """Check the name."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a strategy: at most 40 of a-z, 0-9 and _, a letter first")
        return super().__new__(cls, name)

    @property
    def value(self) -> str:
        """The name as plain text."""
        return str(self)


class Side(StrEnum):
    """Direction of a trade."""

    LONG = "long"
    SHORT = "short"


class Decision(StrEnum):
    """Outcome of one look at one symbol."""

    SIGNAL = "SIGNAL"
    SKIP = "SKIP"


class Regime(StrEnum):
    """State of the market as the scan saw it."""

    UNKNOWN = "unknown"
    TREND_UP = "trend_up"
    TREND_DOWN = "trend_down"
    RANGE = "range"


class Volatility(StrEnum):
    """Volatility as the scan saw it, among that of the symbol's own last days: which third it lies in."""

    UNKNOWN = "unknown"
    LOW = "low"
    MID = "mid"
    HIGH = "high"


class SkipReason(StrEnum):
    """Why a look at a symbol led to no signal."""

    WARMING_UP = "warming_up"
    NO_BAR = "no_bar"
    NO_SETUP = "no_setup"
    TREND_AGAINST = "trend_against"
    VOLUME_TOO_LOW = "volume_too_low"
    VOLATILITY_OUT_OF_RANGE = "volatility_out_of_range"
    TOO_FEW_CONFIRMATIONS = "too_few_confirmations"
    STRENGTH_TOO_LOW = "strength_too_low"
    CONFIDENCE_TOO_LOW = "confidence_too_low"
    VOLUME_TOO_HIGH = "volume_too_high"
    CHANNEL_BROKEN = "channel_broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A trade that a strategy proposes at a bar close.

    Prices are in quote currency. `entry` is the close the decision saw; `ladder` holds the prices of
    further buys below it, first to last; `size_weights` has one share per entry (first the entry,
    then the rungs) and sums to 1. `target_fraction` is set where the target follows the average price
    (target = average * (1 + target_fraction)). `trail_distance` is in price, 0 for none.
    `break_even_distance` is how far above the average entry the price must have come for the stop to be raised to
    the average entry and the fees, in price, 0 for never.
    `confidence` is the probability that model `model_id` gave it, None where no model decided. `priced_at` is when
    the symbol's last bar had closed at the decision, None where that is not known.
    """

    strategy: Strategy
    symbol_id: int
    decided_at: datetime
    side: Side
    entry: float
    stop: float
    target: float
    expires_at: datetime
    strength: float
    confirmations: int
    ladder: tuple[float, ...] = ()
    size_weights: tuple[float, ...] = (1.0,)
    target_fraction: float | None = None
    trail_distance: float = 0.0
    break_even_distance: float = 0.0
    confidence: float | None = None
    model_id: int | None = None
    regime: Regime = Regime.UNKNOWN
    volatility: Volatility = Volatility.UNKNOWN
    config_hash: str = ""
    signal_id: int = 0
    priced_at: datetime | None = None

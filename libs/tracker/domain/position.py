"""A trade from its plan to its end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from tracker.domain.order import ExitReason
from tracker.domain.signal import Side, Strategy


class PositionStatus(StrEnum):
    """`pending` until the first fill, `open` while anything is held, then `closed`; `void` if none came."""

    PENDING = "pending"
    OPEN = "open"
    CLOSED = "closed"
    VOID = "void"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A trade and its running sums; money in quote currency, quantities in base currency.

    `quantity_step`: every quantity of the trade is a multiple of it. `cost` is the cost of what is held,
    `bought_cost` of everything bought, `proceeds` what the sales brought, all without fees.
    `highest_price` and `lowest_price` are the extremes seen while held; `last_price` is the last close,
    which was at `last_bar_at`.
    `leaving` is set once an exit has begun. `entry_until`: the entry's rest is given up then.
    `stop_reason` is what a touched stop would be: `stop`, or what raised it. Once a price `break_even_distance` above
    the average entry was seen (0 for never), the stop is raised to the average and `break_even_cost`, a fraction of it.
    """

    account: str
    strategy: Strategy
    symbol_id: int
    decided_at: datetime
    signal_id: int | None
    config_hash: str
    rules_hash: str
    side: Side
    status: PositionStatus
    quantity_step: Decimal
    stop_price: Decimal
    initial_stop_price: Decimal
    target_price: Decimal
    expires_at: datetime
    entry_until: datetime
    target_fraction: float | None = None
    trail_distance: Decimal = Decimal(0)
    break_even_distance: Decimal = Decimal(0)
    break_even_cost: float = 0.0
    stop_reason: ExitReason = ExitReason.STOP
    quantity: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    bought_quantity: Decimal = Decimal(0)
    bought_cost: Decimal = Decimal(0)
    proceeds: Decimal = Decimal(0)
    realised_pnl: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    highest_price: Decimal | None = None
    lowest_price: Decimal | None = None
    last_price: Decimal | None = None
    last_bar_at: datetime | None = None
    leaving: ExitReason | None = None
    opened_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def live(self) -> bool:
        """Whether the trade may still change."""
        return self.status in (PositionStatus.PENDING, PositionStatus.OPEN)

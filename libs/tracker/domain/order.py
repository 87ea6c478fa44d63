"""An intention to trade, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from tracker.domain.money import EXACT
from tracker.domain.signal import Strategy

ENTRY_LEG = "entry"


class OrderKind(StrEnum):
    """What an order is for."""

    ENTRY = "entry"
    RUNG = "rung"
    EXIT = "exit"


class OrderSide(StrEnum):
    """Which way money flows."""

    BUY = "buy"
    SELL = "sell"


class OrderStatus(StrEnum):
    """State of an order; `pending` and `partial` are live, the others final.

    `cancelled`: the rest was taken back because the trade ended; `expired`: its time ran out;
    `refused`: the rules did not let it be placed.
    """

    PENDING = "pending"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REFUSED = "refused"

    @property
    def live(self) -> bool:
        """Whether the order may still be filled."""
        return self in (OrderStatus.PENDING, OrderStatus.PARTIAL)


class ExitReason(StrEnum):
    """Why a position is left.

    `trailing` is a stop that had followed the price, `break_even` one that had been raised to what the trade cost;
    `flatten` was asked for from outside.
    """

    STOP = "stop"
    TRAILING = "trailing"
    TARGET = "target"
    TIMEOUT = "timeout"
    BREAK_EVEN = "break_even"
    FLATTEN = "flatten"


class RefusalReason(StrEnum):
    """Why a signal led to no order."""

    LATE = "late"
    SIDE_NOT_SUPPORTED = "side_not_supported"
    INVALID_SIGNAL = "invalid_signal"
    ALREADY_OPEN = "already_open"
    TOO_MANY_POSITIONS = "too_many_positions"
    NO_EQUITY = "no_equity"
    NO_CASH = "no_cash"
    BELOW_MIN_NOTIONAL = "below_min_notional"
    SYMBOL_HALTED = "symbol_halted"
    STALE_PRICE = "stale_price"
    GROSS_EXPOSURE = "gross_exposure"
    SYMBOL_EXPOSURE = "symbol_exposure"
    CORRELATED_EXPOSURE = "correlated_exposure"
    HALTED = "halted"
    DRAWDOWN = "drawdown"
    DAILY_LOSS = "daily_loss"
    HALTED_BY_COMMAND = "halted_by_command"
    PAUSED_BY_COMMAND = "paused_by_command"
    STOP_STREAK = "stop_streak"
    COOL_DOWN = "cool_down"
    LOW_PROFIT = "low_profit"
    BELOW_ACCOUNT_THRESHOLD = "below_account_threshold"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderKey:
    """Natural identity of an order: `leg` is 'entry', 'rung1'.. or the exit reason."""

    account: str
    strategy: Strategy
    symbol_id: int
    decided_at: datetime
    leg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order; times are event time.

    `quantity` is in base currency (0 for a refused order), `limit_price` in quote currency (None: at the
    market). `reference_price` is what the decision saw: the close for an entry, the level for a rung or an
    exit. `note` says how the size came about, or in words why it was refused. `placed_at` is the bar close at
    which it was placed, `ended_at` when it became final.
    """

    key: OrderKey
    kind: OrderKind
    side: OrderSide
    status: OrderStatus
    quantity: Decimal
    reference_price: Decimal
    placed_at: datetime
    signal_id: int | None
    config_hash: str
    rules_hash: str
    filled_quantity: Decimal = Decimal(0)
    limit_price: Decimal | None = None
    reason: RefusalReason | None = None
    note: str = ""
    ended_at: datetime | None = None

    @property
    def rest(self) -> Decimal:
        """Quantity still to fill while the order is live."""
        return EXACT.subtract(self.quantity, self.filled_quantity)


def rung_leg(index: int) -> str:
    """Name the leg of the ladder's rung `index`, counted from 0."""
    return f"rung{index + 1}"

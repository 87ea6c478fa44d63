"""What keeps an account from trading for a while, and what has to be remembered to know it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tracker.domain.signal import Strategy


class Protection(StrEnum):
    """What can lock an account, or one of its symbols or strategies, for a time."""

    HALT = "halt"
    DRAWDOWN = "drawdown"
    DAILY_LOSS = "daily_loss"
    COMMAND = "command"
    PAUSE = "pause"
    STOP_STREAK = "stop_streak"
    COOL_DOWN = "cool_down"
    LOW_PROFIT = "low_profit"


class TradingState(StrEnum):
    """What an account may do.

    `ACTIVE`: everything. `REDUCING`: nothing is bought, waiting buys are withdrawn; exits go on. `HALTED`: as
    REDUCING, and what was held when it began is sold at the market.
    """

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionLock:
    """No new trade in (locked_at, until) of event time; `symbol_id` None locks the whole account, or one `strategy`.

    `observed` is the number that set it off: a fall as a fraction, a count of trades, a return.
    """

    account: str
    protection: Protection
    symbol_id: int | None
    strategy: Strategy | None = None
    locked_at: datetime
    until: datetime
    observed: float
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskMarks:
    """What an account's drawdown and daily loss are measured against; money in quote currency.

    `equity` as last marked, at `marked_at`; `peak` the highest since the ledger or the last halt ended; `day_equity`
    as `day` (days since 1970, UTC) began. `armed` says that the fall was below the drawdown limit since it last
    locked, `halted` that a halt has begun and its end was not marked yet.
    """

    account: str
    marked_at: datetime
    equity: float
    peak: float
    day: int
    day_equity: float
    armed: bool
    halted: bool

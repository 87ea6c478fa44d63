"""What a stretch of event time changes in a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tracker.domain.account import Account, EquityPoint
from tracker.domain.fill import Fill
from tracker.domain.order import Order
from tracker.domain.position import Position
from tracker.domain.risk import ProtectionLock, RiskMarks
from tracker.domain.trade import ClosedTrade


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerChanges:
    """Everything one transaction adds to the ledger, each in event order."""

    account: Account
    new_orders: Sequence[Order] = field(default=())
    changed_orders: Sequence[Order] = field(default=())
    new_positions: Sequence[Position] = field(default=())
    changed_positions: Sequence[Position] = field(default=())
    fills: Sequence[Fill] = field(default=())
    trades: Sequence[ClosedTrade] = field(default=())
    equity: Sequence[EquityPoint] = field(default=())
    locks: Sequence[ProtectionLock] = field(default=())
    marks: RiskMarks | None = None

"""The money of a ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tracker.domain.money import EXACT


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Cash and running sums in `currency`; `realised_pnl` is gross of fees."""

    account: str
    currency: str
    start_cash: Decimal
    opened_at: datetime
    cash: Decimal
    realised_pnl: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityPoint:
    """What an account was worth at a moment: equity = cash + positions_value."""

    account: str
    ts: datetime
    cash: Decimal
    positions_value: Decimal
    realised_pnl: Decimal
    unrealised_pnl: Decimal
    fees: Decimal
    open_positions: int

    @property
    def equity(self) -> Decimal:
        """Cash and what is held at the last closes."""
        return EXACT.add(self.cash, self.positions_value)

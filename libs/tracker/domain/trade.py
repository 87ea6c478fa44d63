"""A finished trade, as the trade log keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from tracker.domain.money import EXACT
from tracker.domain.order import ExitReason
from tracker.domain.signal import Side, Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedTrade:
    """One round trip; prices are averages, `pnl` is `gross_pnl` less `fees`.

    `mae` and `mfe` are the worst and best price seen while held, as fractions of the average entry price
    (mae <= 0 <= mfe).
    """

    account: str
    strategy: Strategy
    symbol_id: int
    decided_at: datetime
    signal_id: int | None
    config_hash: str
    rules_hash: str
    side: Side
    entry_time: datetime
    exit_time: datetime
    entry_price: Decimal
    exit_price: Decimal
    quantity: Decimal
    gross_pnl: Decimal
    fees: Decimal
    stop_loss_price: Decimal
    take_profit_price: Decimal
    exit_reason: ExitReason
    mae: float
    mfe: float

    @property
    def pnl(self) -> Decimal:
        """Profit or loss after fees."""
        return EXACT.subtract(self.gross_pnl, self.fees)

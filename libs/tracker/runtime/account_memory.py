"""What an account remembers for its protections, read from the database for one transaction."""

from __future__ import annotations

from datetime import datetime, timedelta

from tracker.quant.portfolio.guard import Memory
from tracker.quant.risk import RiskConfig
from tracker.store.database import Transaction
from tracker.store.risk import read_closed_trades, read_locks, read_marks


async def read_memory(transaction: Transaction, account: str, at: datetime, risk: RiskConfig) -> Memory:
    """Return what counts at event time `at` of marks, locks and closed trades."""
    after = at - timedelta(minutes=risk.protections.memory_minutes)
    return Memory(
        marks=await read_marks(transaction, account),
        locks=await read_locks(transaction, account, after),
        trades=await read_closed_trades(transaction, account, after) if risk.protections.memory_minutes else (),
    )

"""What an account remembers for its protections, read from the database for one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from tracker.domain.signal import Signal
from tracker.quant.portfolio.book import Book, seconds_of
from tracker.quant.portfolio.guard import Memory
from tracker.quant.portfolio.hours import HourlyCloses, hourly_closes
from tracker.quant.risk import RiskConfig
from tracker.store.database import Transaction
from tracker.store.risk import read_closed_trades, read_hourly_closes, read_locks, read_marks


async def read_memory(transaction: Transaction, account: str, at: datetime, risk: RiskConfig) -> Memory:
    """Return what counts at event time `at` of marks, locks and closed trades."""
    after = at - timedelta(minutes=risk.protections.memory_minutes)
    return Memory(
        marks=await read_marks(transaction, account),
        locks=await read_locks(transaction, account, after),
        trades=await read_closed_trades(transaction, account, after) if risk.protections.memory_minutes else (),
    )


async def read_hours(
    transaction: Transaction, risk: RiskConfig, book: Book, signals: Sequence[Signal], through: datetime
) -> HourlyCloses | None:
    """Return the hourly closes of all symbols that signals up to `through` may be held against; None without need."""
    if risk.limits.max_cluster_exposure is None or not signals:
        return None
    symbol_ids = {each.symbol_id for each in signals} | {each.position.symbol_id for each in book.live}
    begin = min(each.decided_at for each in signals) - timedelta(hours=risk.limits.cluster_hours + 1)
    closes = await read_hourly_closes(transaction, symbol_ids, begin, through)
    return hourly_closes(closes, symbol_ids, seconds_of(begin), seconds_of(through))

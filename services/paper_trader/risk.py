"""What an account's decisions look back on, read from the database for one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from tracker.domain.signal import Signal
from tracker.quant.portfolio.book import Book, seconds_of
from tracker.quant.portfolio.hours import HourlyCloses, hourly_closes
from tracker.quant.risk import RiskConfig
from tracker.store.database import Transaction
from tracker.store.risk import read_hourly_closes


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

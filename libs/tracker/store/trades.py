"""Closed trades as plain values."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tracker.store.database import Transaction


async def read_trades(transaction: Transaction, account: str = "paper") -> list[dict[str, Any]]:
    """Return every closed trade of an account, in a fixed order; times ISO, money as exact text in quote currency."""
    return [
        {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
        for row in await transaction.fetch("replay.trades", account)
    ]

"""What the overview page shows."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tracker.store.database import Row, Transaction
from tracker.store.status import read_status


async def read_overview(transaction: Transaction, account: str) -> dict[str, Any]:
    """Return status, prices, positions, trades, reasons and equity as plain values; times are datetimes."""
    status = await read_status(transaction)
    document: dict[str, Any] = asdict(status)
    for name in ("market", "positions", "trades", "reasons"):
        document[name] = [_plain(row) for row in await transaction.fetch(f"overview.{name}")]
    document["equity"] = [_plain(row) for row in await transaction.fetch("overview.equity", account)]
    return document


async def read_minutes(transaction: Transaction, symbol: str) -> list[dict[str, Any]]:
    """Return the last four hours of one symbol's closes."""
    return [_plain(row) for row in await transaction.fetch("overview.minutes", symbol)]


def _plain(row: Row) -> dict[str, Any]:
    return dict(row.items())

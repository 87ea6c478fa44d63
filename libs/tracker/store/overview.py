"""What the overview page shows."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import numpy as np

from tracker.domain.timeframe import EPOCH
from tracker.store.bar_cache import BarCache
from tracker.store.database import Row, Transaction
from tracker.store.status import read_status
from tracker.store.symbols import find_symbol

CHART = timedelta(hours=4)


async def read_overview(transaction: Transaction, account: str) -> dict[str, Any]:
    """Return status, prices, positions, trades, reasons and equity as plain values; times are datetimes."""
    status = await read_status(transaction)
    document: dict[str, Any] = asdict(status)
    for name in ("market", "positions", "trades", "reasons"):
        document[name] = [_plain(row) for row in await transaction.fetch(f"overview.{name}")]
    document["account"] = account
    document["equity"] = [_plain(row) for row in await transaction.fetch("overview.equity", account)]
    return document


async def read_minutes(transaction: Transaction, cache: BarCache, symbol: str) -> list[dict[str, Any]]:
    """Return the closes of one symbol's finest bars over the four hours before its newest; none of an unknown one."""
    instrument = await find_symbol(transaction, symbol)
    if instrument is None:
        return []
    timeframe = instrument.base_timeframe
    bars = await cache.window(transaction, timeframe, CHART // timeframe.duration, symbol_ids=(instrument.symbol_id,))
    shown = np.flatnonzero(bars.ts[0] > max(0, int(bars.ts[0, -1]) - CHART.total_seconds()))
    return [
        {"ts": EPOCH + timedelta(seconds=ts), "close": close}
        for ts, close in zip(bars.ts[0, shown].tolist(), bars.close[0, shown].tolist(), strict=True)
    ]


def _plain(row: Row) -> dict[str, Any]:
    return dict(row.items())

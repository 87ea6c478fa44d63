"""The symbols the fleet knows."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from tracker.domain.instrument import Instrument, InstrumentStatus
from tracker.domain.timeframe import Timeframe
from tracker.store.database import Row, Transaction


async def write_symbols(transaction: Transaction, instruments: Iterable[Instrument]) -> None:
    """Insert new symbols in the given order and refresh the facts of known ones; status is left alone."""
    for each in instruments:
        facts = (
            each.symbol,
            each.lot_step,
            each.min_notional,
            orjson.dumps(dict(each.vendor_tickers)).decode(),
            each.base_timeframe.value,
        )
        await transaction.execute("symbols.insert_missing", *facts)
        await transaction.execute("symbols.refresh", *facts)


async def read_symbols(transaction: Transaction) -> list[Instrument]:
    """Return every symbol, ordered by name."""
    return [_instrument(row) for row in await transaction.fetch("symbols.read_all")]


async def find_symbol(transaction: Transaction, symbol: str) -> Instrument | None:
    """Return the symbol of that name, None where it is not known."""
    row = await transaction.fetch_row("symbols.find", symbol)
    return None if row is None else _instrument(row)


async def set_symbol_status(
    transaction: Transaction, symbol: str, status: InstrumentStatus, reason: str | None
) -> bool:
    """Change whether bars are expected from a symbol; return whether anything changed."""
    return await transaction.execute("symbols.set_status", symbol, status.value, reason) > 0


def _instrument(row: Row) -> Instrument:
    return Instrument(
        symbol_id=row["symbol_id"],
        symbol=row["symbol"],
        status=InstrumentStatus(row["status"]),
        base_timeframe=Timeframe(row["base_timeframe"]),
        lot_step=row["lot_step"],
        min_notional=row["min_notional"],
        vendor_tickers=orjson.loads(row["vendor_tickers"]),
    )

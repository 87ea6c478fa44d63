"""How far the pipeline has come: what tells pages that there is something new to show."""

from __future__ import annotations

from tracker.store.database import Transaction


async def read_marks(transaction: Transaction) -> tuple[object, ...]:
    """Return a value that differs from the last one whenever a stage has moved on."""
    return tuple(await transaction.fetch_row("pages_marks.marks") or ())

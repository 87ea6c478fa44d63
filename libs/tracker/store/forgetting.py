"""Old rows go, a slice at a time; whoever does that needs none of the arrays that the rows were made of."""

from __future__ import annotations

from datetime import datetime

from tracker.store.database import Transaction


async def forget_labels(transaction: Transaction, before: datetime, at_most: int) -> int:
    """Delete at most so many labels decided before a moment; return how many it were."""
    return await transaction.run_long("labels.forget", before, at_most)


async def forget_predictions(transaction: Transaction, before: datetime, at_most: int) -> int:
    """Delete at most so many scores of looks before a moment; return how many it were."""
    return await transaction.run_long("predictions.forget", before, at_most)

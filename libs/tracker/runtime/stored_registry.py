"""The registry of models as scanners follow it."""

from __future__ import annotations

from collections.abc import Sequence

from tracker.domain.signal import Strategy
from tracker.store.database import Transaction
from tracker.store.models import read_slots, read_stored
from tracker.store.scored_by import ModelSlot, StoredModel

# Candidates that are scored beside the champion, the newest ones.
SHADOWED = 2


class StoredRegistry:
    """Models in the database."""

    async def slots(self, transaction: Transaction, strategy: Strategy) -> Sequence[ModelSlot]:
        """Return which models score a strategy now, the champion first."""
        return await read_slots(transaction, strategy, SHADOWED)

    async def stored(self, transaction: Transaction, model_id: int) -> StoredModel | None:
        """Return a model as it is stored, None where it is not."""
        return await read_stored(transaction, model_id)

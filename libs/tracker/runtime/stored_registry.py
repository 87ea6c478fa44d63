"""The registry of models as scanners follow it."""

from __future__ import annotations

from collections.abc import Sequence

from tracker.domain.signal import Strategy
from tracker.runtime.artifacts import ArtifactStore, configured_artifacts, with_bytes
from tracker.store.database import Transaction
from tracker.store.models import read_slots, read_stored
from tracker.store.scored_by import ModelSlot, StoredModel

# Candidates that are scored beside the champion, the newest ones.
SHADOWED = 2


class StoredRegistry:
    """Models in the database, and their bytes there or in a bucket."""

    def __init__(self, artifacts: ArtifactStore | None = None) -> None:
        """Look for bytes where it is said, else where the environment says."""
        self._artifacts = artifacts or configured_artifacts()

    async def slots(self, transaction: Transaction, strategy: Strategy) -> Sequence[ModelSlot]:
        """Return which models score a strategy now, the champion first."""
        return await read_slots(transaction, strategy, SHADOWED)

    async def stored(self, transaction: Transaction, model_id: int) -> StoredModel | None:
        """Return a model with its bytes; raises ModelError where those cannot be had."""
        found = await read_stored(transaction, model_id)
        return None if found is None else await with_bytes(found, self._artifacts)

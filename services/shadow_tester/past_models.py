"""The models that decided at closes, as the scanners noted it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tracker.domain.errors import ModelError
from tracker.domain.signal import Strategy
from tracker.quant.models.scoring import Model
from tracker.quant.portfolio.book import seconds_of
from tracker.quant.shadow.deciders import Decider
from tracker.runtime.live_model import Registry, model_named
from tracker.runtime.stored_registry import StoredRegistry
from tracker.store.champions import ChampionSince, read_champions
from tracker.store.database import Transaction


class PastModels:
    """Models by name, whatever became of them since; `troubles` names by strategy one that cannot be used any more."""

    def __init__(self, registry: Registry | None = None) -> None:
        """Begin without a model; read them from `registry`, the table of models where it is None."""
        self.troubles: dict[Strategy, str] = {}
        self._registry = registry or StoredRegistry()
        self._loaded: dict[tuple[int, float], Model] = {}

    async def deciders(
        self, transaction: Transaction, strategy: Strategy, first: datetime, end: datetime
    ) -> Sequence[Decider]:
        """Return who decided on the closes in (first, end], the earliest first.

        At closes of a model that cannot be used any more the rule decides. Raises ArtifactUnavailableError where bytes
        cannot be had for now: what is written must not depend on that.
        """
        self.troubles.pop(strategy, None)
        noted = await read_champions(transaction, strategy.value, first, end)
        return [
            Decider(after=seconds_of(each.after), model=await self._model(transaction, strategy, each))
            for each in noted
        ]

    async def _model(self, transaction: Transaction, strategy: Strategy, noted: ChampionSince) -> Model | None:
        if noted.model_id is None or noted.threshold is None:
            return None
        key = noted.model_id, noted.threshold
        if key not in self._loaded:
            try:
                self._loaded[key] = await model_named(transaction, *key, self._registry)
            except ModelError as error:
                if error.retryable:
                    raise
                self.troubles[strategy] = f"{error}; the rule decides alone"
                return None
        return self._loaded[key]

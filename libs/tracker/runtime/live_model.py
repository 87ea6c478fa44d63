"""The models that score a strategy's setups: the champion, which decides, and the newest candidates beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

import numpy as np
from pydantic import Field

from tracker.domain.errors import ModelError
from tracker.domain.feature_set import FeatureSet
from tracker.domain.signal import Strategy
from tracker.quant.features import FEATURE_SET
from tracker.quant.models.scorer import Scorer
from tracker.quant.models.scoring import Model
from tracker.runtime.config import read_toml, shaped
from tracker.runtime.stored_registry import StoredRegistry
from tracker.store.database import Transaction
from tracker.store.scored_by import ModelSlot, StoredModel

NO_CHAMPION = "no champion"


class Registry(Protocol):
    """Where models are kept."""

    async def slots(self, transaction: Transaction, strategy: Strategy) -> Sequence[ModelSlot]:
        """Return which models score a strategy now, the champion first."""
        ...

    async def stored(self, transaction: Transaction, model_id: int) -> StoredModel | None:
        """Return a model as it is stored, None where it is not; raises ModelError where its bytes cannot be had."""
        ...


def load_threshold(config_dir: Path) -> float:
    """Return the probability from which on signals are traded, which is the one that the gate judges by.

    Raises ConfigError naming models.toml, field and value.
    """
    path = config_dir / "models.toml"
    gate = read_toml(path).get("gate", {})
    return shaped(str(path), {"threshold": gate.get("threshold")}, _Gate).threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gate:
    threshold: Annotated[float, Field(gt=0, lt=1)]


def usable_model(stored: StoredModel, threshold: float, features: FeatureSet = FEATURE_SET) -> Model:
    """Return a stored model ready to score.

    Raises ModelError where its bytes are not those that were stored, or it was trained on other features.
    """
    where = f"model {stored.model_id}"
    if stored.feature_set_hash != features.hash:
        raise ModelError(
            f"{where} was trained on feature set {stored.feature_set_hash}, and {features.hash} is computed"
        )
    if stored.artifact is None:
        raise ModelError(f"{where} has no bytes in the database")
    try:
        scorer = Scorer.load(stored.artifact, stored.sha256, stored.calibration)
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from None
    model = Model(
        model_id=stored.model_id,
        scorer=scorer,
        known_from=int(stored.known_from.timestamp()),
        # As the column holds it, so that whoever decides again decides on the same number.
        threshold=float(np.float32(threshold)),
    )
    strange = sorted(set(model.names) - set(features.names))
    if strange:
        raise ModelError(f"{where} was trained on {strange[0]!r}, which is no feature of the set")
    return model


async def model_named(
    transaction: Transaction, model_id: int, threshold: float, registry: Registry | None = None
) -> Model:
    """Return one model, whatever became of it since; raises ModelError where it is gone or cannot be used."""
    stored = await (registry or StoredRegistry()).stored(transaction, model_id)
    if stored is None:
        raise ModelError(f"there is no model {model_id}")
    return usable_model(stored, threshold)


class LiveModel:
    """The models of one strategy, followed while they are promoted, rolled back and damaged.

    `champion` is None while the rule decides alone; `absent` says in words why. `trouble` names a champion that cannot
    be used, which a person must look at.
    """

    def __init__(self, strategy: Strategy, threshold: float, registry: Registry | None = None) -> None:
        """Begin without a model."""
        self.champion: Model | None = None
        self.challengers: Sequence[Model] = ()
        self.trouble: str | None = None
        self._strategy = strategy
        self.threshold = threshold
        self._registry = registry or StoredRegistry()
        self._slots: Sequence[ModelSlot] | None = None
        self._loaded: Mapping[ModelSlot, Model] = {}

    @property
    def absent(self) -> str:
        """Why no model decides."""
        return self.trouble or NO_CHAMPION

    async def refresh(self, transaction: Transaction, *, again: bool = False) -> bool:
        """Look which models score now; tells whether another one, or none, decides.

        A model that is loaded stays as long as the registry names it with the same sha256: its bytes were checked. One
        that could not be used is tried `again` where asked; meanwhile the rule decides, never a predecessor.
        """
        slots = tuple(await self._registry.slots(transaction, self._strategy))
        if slots == self._slots and not (again and len(self._loaded) < len(slots)):
            return False
        was = None if self.champion is None else self.champion.model_id
        self.trouble = None
        loaded: dict[ModelSlot, Model] = {}
        for slot in slots:
            try:
                loaded[slot] = await self._load(transaction, slot)
            except ModelError as error:
                # A candidate that cannot be used decides nothing: the gate refuses it.
                if slot.is_champion:
                    self.trouble = str(error)
        self._slots, self._loaded = slots, loaded
        self.champion = next((model for slot, model in loaded.items() if slot.is_champion), None)
        self.challengers = tuple(model for slot, model in loaded.items() if not slot.is_champion)
        return was != (None if self.champion is None else self.champion.model_id)

    async def _load(self, transaction: Transaction, slot: ModelSlot) -> Model:
        # A candidate that was promoted is the same model.
        for known, model in self._loaded.items():
            if (known.model_id, known.sha256) == (slot.model_id, slot.sha256):
                return model
        stored = await self._registry.stored(transaction, slot.model_id)
        if stored is None:
            raise ModelError(f"there is no model {slot.model_id}")
        return usable_model(stored, self.threshold)

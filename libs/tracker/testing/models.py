"""Small models that XGBoost really trained, and a registry of them in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tracker.domain.signal import Strategy
from tracker.domain.timeframe import EPOCH
from tracker.quant.features import FEATURE_SET
from tracker.quant.models.scorer import artifact_hash
from tracker.store.database import Transaction
from tracker.store.scored_by import ModelSlot, StoredModel


def make_artifact(seed: int = 1, *, names: Sequence[str] = FEATURE_SET.names, rounds: int = 20) -> bytes:
    """Return the UBJ bytes of a model of random features that win more often the higher the first two are."""
    # Only tests train: whatever runs scores without it.
    import xgboost as xgb

    rng = np.random.default_rng(seed)
    features = rng.normal(size=(2_000, len(names))).astype(np.float32)
    features[rng.random(features.shape) < 0.05] = np.nan
    won = rng.random(2_000) < 0.5 + 0.2 * np.tanh(np.nan_to_num(features[:, 0]) + np.nan_to_num(features[:, 1]))
    data = xgb.DMatrix(features, label=won.astype(np.float32), feature_names=list(names))
    params = {
        "objective": "binary:logistic", "base_score": 0.5, "max_depth": 4, "eta": 0.2, "nthread": 1, "seed": seed,
    }  # fmt: skip
    return bytes(xgb.train(params, data, rounds).save_raw("ubj"))


def make_stored_model(model_id: int, artifact: bytes | None = None, **changes: Any) -> StoredModel:
    """Return a champion of swing that may score everything; its probabilities are those of its margins."""
    bytes_ = make_artifact(model_id) if artifact is None else artifact
    model = StoredModel(
        model_id=model_id, strategy="swing", status="champion", sha256=artifact_hash(bytes_), artifact=bytes_,
        calibration={"slope": 1.0, "intercept": 0.0}, feature_set_hash=FEATURE_SET.hash, known_from=EPOCH,
    )  # fmt: skip
    return replace(model, **changes)


@dataclass(slots=True)
class FakeRegistry:
    """Models in memory; what is asked of it is counted."""

    models: dict[int, StoredModel] = field(default_factory=dict[int, StoredModel])
    reads: int = 0

    def keep(self, *models: StoredModel) -> None:
        """Store models; one of a known number takes its place."""
        self.models |= {each.model_id: each for each in models}

    def promote(self, model_id: int | None) -> None:
        """Make a model the champion of its strategy, None: nobody; the one before it retires."""
        for each in list(self.models.values()):
            if each.model_id == model_id:
                self.models[each.model_id] = replace(each, status="champion")
            elif each.status == "champion":
                self.models[each.model_id] = replace(each, status="retired")

    async def slots(self, transaction: Transaction, strategy: Strategy) -> Sequence[ModelSlot]:
        """Return the champion first, then candidates, the newest first."""
        del transaction
        mine = [each for each in self.models.values() if each.strategy == strategy and each.status != "retired"]
        mine.sort(key=lambda each: (each.status != "champion", -each.model_id))
        return [
            ModelSlot(model_id=each.model_id, is_champion=each.status == "champion", sha256=each.sha256)
            for each in mine
        ]

    async def stored(self, transaction: Transaction, model_id: int) -> StoredModel | None:
        """Return a model."""
        del transaction
        self.reads += 1
        return self.models.get(model_id)

"""Which models score a strategy's setups, and their bytes, as whoever scores reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

MODELS_CHANNEL = "tracker_models"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSlot:
    """A model that scores a strategy now: the champion decides, candidates are scored beside it."""

    model_id: int
    is_champion: bool
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """A model as it is stored: its bytes with the sha256 they had then, and what makes probabilities of margins.

    `artifact` is None where its bytes are in object storage, under `artifact_path`. `known_from` is the end of the data
    it was trained and judged on.
    """

    model_id: int
    strategy: str
    status: str
    sha256: str
    artifact: bytes | None
    calibration: Mapping[str, Any]
    feature_set_hash: str
    known_from: datetime
    artifact_path: str | None = None

"""A model ready to score: its trees, and what turns their margins into probabilities."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from tracker.domain.errors import ModelError
from tracker.quant.bars import Floats, Singles
from tracker.quant.models.trees import Trees


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Platt's: probability = 1 / (1 + exp(-(slope * margin + intercept))); the slope keeps the order, so is above 0."""

    slope: float
    intercept: float

    def __post_init__(self) -> None:
        """Refuse what would turn the order around."""
        if not (self.slope > 0 and np.isfinite(self.slope) and np.isfinite(self.intercept)):
            raise ModelError(f"the model's calibration has slope {self.slope} and intercept {self.intercept}")

    def probabilities(self, margins: Singles | Floats) -> Floats:
        """Return the chance that each trade is won."""
        return sigmoid(self.slope * margins.astype(np.float64) + self.intercept)

    @classmethod
    def of(cls, plain: Any) -> Calibration:
        """Read it from plain values; raises ModelError naming what is wrong."""
        try:
            return TypeAdapter(cls).validate_python(plain)
        except ValidationError as error:
            raise ModelError(f"the model's calibration cannot be used: {error.errors()[0]['msg']}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """Turns features into the chance that a trade is won."""

    trees: Trees
    calibration: Calibration

    @classmethod
    def load(cls, artifact: bytes, sha256: str, calibration: Any) -> Scorer:
        """Read a stored model; raises ModelError where its bytes are not those that were stored, or no model."""
        found = artifact_hash(artifact)
        if found != sha256:
            raise ModelError(f"the model's bytes have sha256 {found[:12]}..., not {sha256[:12]}... as stored")
        return cls(trees=Trees.of(artifact), calibration=Calibration.of(calibration))

    def score(self, features: Singles) -> Floats:
        """Return a probability a row of `features` (n, F), in the order of the model's names; raises InputError."""
        return self.calibration.probabilities(self.trees.margins(features))


def artifact_hash(artifact: bytes) -> str:
    """Return the sha256 of a model's bytes, in hex."""
    return hashlib.sha256(artifact).hexdigest()


def sigmoid(values: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)) without overflow."""
    small = np.exp(-np.abs(values))
    return np.where(values >= 0, 1.0, small) / (1.0 + small)

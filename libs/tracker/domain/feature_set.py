"""An ordered, versioned list of feature names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSet:
    """Feature names in the order in which their values are stored; `version` changes with the formulas."""

    version: str
    names: tuple[str, ...]

    @property
    def hash(self) -> str:
        """Identity of the set: sha256 over version and names, first 16 hex digits."""
        text = "\n".join((self.version, *self.names))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

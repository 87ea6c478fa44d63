"""What a process that judges a model is told; without what it needs for that."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionOrder:
    """Which model somebody wants to be the champion; a force needs a reason."""

    model_id: int
    who: str
    reason: str
    force: bool
    config_dir: str

"""What models said of setups, as it was written when they were looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tracker.domain.signal import Strategy
from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One model's score of one setup.

    `is_champion`: it decided; others are scored beside it. `is_signal`: the rule alone would have proposed the trade;
    `taken`: it was proposed. `margin` in log-odds.
    """

    symbol_id: int
    decided_at: datetime
    model_id: int
    is_champion: bool
    margin: float
    probability: float
    threshold: float
    is_signal: bool
    taken: bool


async def write_predictions(
    transaction: Transaction, strategy: Strategy, config_hash: str, predictions: Sequence[Prediction]
) -> None:
    """Store scores of looks that were taken under one configuration; storing them again changes nothing."""
    if not predictions:
        return
    await transaction.execute(
        "predictions.write",
        strategy.value,
        config_hash,
        [each.symbol_id for each in predictions],
        [each.decided_at for each in predictions],
        [each.model_id for each in predictions],
        [each.is_champion for each in predictions],
        [each.margin for each in predictions],
        [each.probability for each in predictions],
        [each.threshold for each in predictions],
        [each.is_signal for each in predictions],
        [each.taken for each in predictions],
    )


async def read_predictions_at(
    transaction: Transaction, strategy: str, symbol_id: int, decided_at: datetime
) -> list[dict[str, Any]]:
    """Return what was said of one look, the champion's word first."""
    rows = await transaction.fetch("predictions.at", strategy, symbol_id, decided_at)
    return [dict(row.items()) for row in rows]

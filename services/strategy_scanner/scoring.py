"""What models said of setups, as rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from tracker.domain.timeframe import EPOCH
from tracker.quant.models.scoring import Model, Scores
from tracker.quant.strategies import Proposals
from tracker.store.predictions import Prediction


def predictions_of(
    model: Model, scores: Scores, keys: Sequence[tuple[int, int]], proposed: Proposals, *, is_champion: bool
) -> Iterator[Prediction]:
    """Return a row for each scored setup; `keys` holds (symbol id, close in Unix seconds) of each proposal."""
    for row, margin, probability in zip(
        scores.rows.tolist(), scores.margin.tolist(), scores.probability.tolist(), strict=True
    ):
        symbol_id, seconds = keys[row]
        is_signal = bool(proposed.is_signal[row])
        yield Prediction(
            symbol_id=symbol_id,
            decided_at=EPOCH + timedelta(seconds=seconds),
            model_id=model.model_id,
            is_champion=is_champion,
            margin=margin,
            probability=probability,
            threshold=model.threshold,
            is_signal=is_signal,
            taken=is_champion and is_signal and probability >= model.threshold,
        )


def why_unscored(champion: Model | None, seconds: int, absent: str) -> str:
    """Say why no model was asked about a setup at a close, in Unix seconds."""
    if champion is None:
        return absent
    if seconds < champion.known_from:
        return f"model {champion.model_id} was made of what came later"
    return f"model {champion.model_id} cannot take an infinite feature"

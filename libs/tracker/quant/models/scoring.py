"""What a model says of the setups among a rule's proposals, and which of them it holds back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from tracker.domain.errors import ModelError
from tracker.domain.funnel import LAST_STEP, FunnelStep
from tracker.domain.signal import SkipReason
from tracker.quant.bars import Bools, Floats, Ints, Singles
from tracker.quant.models.scorer import Scorer
from tracker.quant.strategies.base import Proposals

# Looks that passed every gate of the rule itself, which is what models learn from.
SETUP_REASONS = tuple(
    reason
    for reason, step in LAST_STEP.items()
    if step is FunnelStep.SETUPS and reason is not SkipReason.CONFIDENCE_TOO_LOW
)
# What a proposal says of its trade.
_OF_A_TRADE = (
    "entry", "stop", "target", "ladder", "size_weights", "target_fraction", "trail_distance", "break_even_distance",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A stored model ready to score.

    `known_from` is the end of what it was trained and judged on, Unix seconds: of a decision before that it knows the
    future, and is not asked. A signal is traded where its probability is at least `threshold`.
    """

    model_id: int
    scorer: Scorer
    known_from: int
    threshold: float

    @property
    def names(self) -> tuple[str, ...]:
        """The features that it was trained on, in their order."""
        return self.scorer.trees.names

    def asked(self) -> tuple[str, ...]:
        """Return the features that any of its trees asks for."""
        used: set[int] = set()
        for columns in self.scorer.trees.columns:
            used.update((columns % len(self.names)).tolist())
        return tuple(self.names[each] for each in sorted(used))

    def arranged(self, values: Singles, names: Sequence[str]) -> Singles:
        """Return values (n, F) of the features `names` in the model's own order; what it never asks for may be missing.

        Raises ModelError where a feature that it asks for is not among the names.
        """
        if tuple(names) == self.names:
            return values
        given = {name: place for place, name in enumerate(names)}
        lacking = [name for name in self.asked() if name not in given]
        if lacking:
            raise ModelError(f"model {self.model_id} asks for {lacking[0]!r}, which is no feature that is computed")
        found = np.full((len(values), len(self.names)), np.nan, dtype=np.float32)
        for place, name in enumerate(self.names):
            if name in given:
                found[:, place] = values[:, given[name]]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What a model said of k looks: `rows` int64 (k,) among the proposals, log-odds `margin`, `probability` (k,).

    Probabilities are rounded to what a column of four bytes holds, so that every reader decides on the same number.
    """

    rows: Ints
    margin: Floats
    probability: Floats


def setups(proposals: Proposals) -> Bools:
    """Return which looks (n,) passed every gate of the rule itself, be they signals or not."""
    found = proposals.is_signal.copy()
    for reason in SETUP_REASONS:
        found |= np.asarray(proposals.reason == reason, dtype=np.bool_)
    return found


def score_setups(
    model: Model, proposals: Proposals, decided_at: Ints, values_of: Callable[[Ints], Singles]
) -> Scores:
    """Score all setups in one call; `values_of` returns the model's features (k, F) of some rows.

    Not scored are decisions (Unix seconds, (n,)) before the model knew nothing of, and rows with an infinite feature.
    """
    return score_rows(model, np.flatnonzero(setups(proposals) & (decided_at >= model.known_from)), values_of)


def score_rows(model: Model, rows: Ints, values_of: Callable[[Ints], Singles]) -> Scores:
    """Score some rows in one call, as score_setups; rows with an infinite feature are left out."""
    if not rows.size:
        return Scores(rows=rows, margin=np.empty(0), probability=np.empty(0))
    values = values_of(rows)
    usable = ~np.isinf(values).any(axis=1)
    if not usable.all():
        rows, values = rows[usable], values[usable]
    margins = model.scorer.trees.margins(values)
    probability = model.scorer.calibration.probabilities(margins).astype(np.float32)
    return Scores(rows=rows, margin=margins.astype(np.float64), probability=probability.astype(np.float64))


def judged(proposals: Proposals, scores: Scores, threshold: float) -> Proposals:
    """Return the proposals as they are under a model: signals below the threshold are none."""
    if not scores.rows.size:
        return proposals
    confidence = np.full(len(proposals), np.nan)
    confidence[scores.rows] = scores.probability
    low = proposals.is_signal & (confidence < threshold)
    if not low.any():
        return replace(proposals, confidence=confidence)
    reason, expires_at = proposals.reason.copy(), proposals.expires_at.copy()
    reason[low], expires_at[low] = SkipReason.CONFIDENCE_TOO_LOW, 0
    trades: dict[str, Floats] = {}
    for each in fields(Proposals):
        if each.name in _OF_A_TRADE:
            trades[each.name] = getattr(proposals, each.name).copy()
            trades[each.name][low] = np.nan
    return replace(
        proposals, is_signal=proposals.is_signal & ~low, reason=reason, expires_at=expires_at, confidence=confidence,
        **trades,
    )  # fmt: skip

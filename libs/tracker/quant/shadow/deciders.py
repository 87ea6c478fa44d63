"""What the models that decided at closes say of the signals of many variations, and which of them they hold back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tracker.quant.bars import Floats, Ints, Singles
from tracker.quant.models.scoring import Model, score_rows
from tracker.quant.shadow.evaluation import Found
from tracker.quant.shadow.variation import Variation

ValuesOf = Callable[[Model, Ints], Singles]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """The model that decides on closes later than `after`, Unix seconds; None: the rule alone."""

    after: int
    model: Model | None


def decider_at(deciders: Sequence[Decider], close: int) -> Model | None:
    """Return the model that is asked at a close, Unix seconds, None where the rule decides alone."""
    before = [each for each in deciders if each.after < close]
    model = before[-1].model if before else None
    return None if model is None or close < model.known_from else model


def minimums_of(variations: Sequence[Variation]) -> Floats:
    """Return the confidence that each variation asks for (V,), NaN where it asks for what the scanner does.

    Rounded to four bytes, as thresholds and probabilities are.
    """
    asked = [np.nan if each.min_confidence is None else each.min_confidence for each in variations]
    return np.array(asked, dtype=np.float32).astype(np.float64)


def under_models(
    found: Found, decided_at: Ints, deciders: Sequence[Decider], values_of: ValuesOf, minimums: Floats
) -> tuple[Found, Ints]:
    """Return the signals that are left, with their confidence, and the rows of those held back (k,).

    `decided_at` in Unix seconds (n,) of the frame's rows; `deciders` ascend; `values_of` returns the features (k, F) of
    some rows as a model reads them; `minimums` (V,) as minimums_of. A row is scored once, whoever has a signal there.
    """
    rows = np.unique(found.row)
    confidence, least = np.full(len(decided_at), np.nan), np.full(len(decided_at), np.nan)
    afters = np.array([each.after for each in deciders], dtype=np.int64)
    moments = decided_at[rows]
    places = np.searchsorted(afters, moments, side="left") - 1
    for place, decider in enumerate(deciders):
        model = decider.model
        if model is not None:
            mine = rows[(places == place) & (moments >= model.known_from)]
            scores = score_rows(model, mine, lambda some, model=model: values_of(model, some))
            confidence[scores.rows], least[scores.rows] = scores.probability, model.threshold
    said = confidence[found.row]
    asked = minimums[found.variation]
    # Of what no model was asked about the rule decides: nothing is below NaN.
    low = said < np.where(np.isnan(asked), least[found.row], asked)
    kept = np.flatnonzero(~low)
    proposals = replace(found.proposals.take(kept), confidence=said[kept])
    return Found(variation=found.variation[kept], row=found.row[kept], proposals=proposals), found.row[low]

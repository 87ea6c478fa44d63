"""What goes into a strategy's rule and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import ClassVar, Protocol, TypeVar

import numpy as np

from tracker.domain.signal import Strategy
from tracker.quant.bars import Bools, Floats, Ints, Objects
from tracker.quant.frame import FeatureFrame

__all__ = ["FeatureFrame", "Proposals", "StrategyRule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """What a rule says about each of n rows.

    `reason` object (n,): the SkipReason of a row without signal, None for a signal. `strength` float64 0..1
    and `confirmations` int64 are given wherever the features are known (NaN and 0 elsewhere), so that a near
    miss can be told from a far one. The rest describes the trade of a signal and is NaN (0 for `expires_at`,
    int64 Unix seconds) in other rows: prices `entry`, `stop`, `target` (n,) and `ladder` (n, R) in quote
    currency, `size_weights` (n, R+1) summing to 1, `trail_distance` in price (0 for none), `break_even_distance` in
    price above the average entry (0 for none, which is what it is where a rule does not give it), `target_fraction`
    above the average price (NaN for none). `regime` object (n,) of Regime, `volatility` of Volatility. Long: stop <
    ladder rungs (falling) < entry < target, always. `confidence` is what a model gave a row, NaN where none was asked,
    which is what it is as a rule leaves it.
    """

    is_signal: Bools
    reason: Objects
    entry: Floats
    stop: Floats
    target: Floats
    strength: Floats
    confirmations: Ints
    expires_at: Ints
    ladder: Floats
    size_weights: Floats
    target_fraction: Floats
    trail_distance: Floats
    regime: Objects
    volatility: Objects
    break_even_distance: Floats = field(default_factory=lambda: np.empty(0))
    confidence: Floats = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        """Take a break-even distance and a confidence that were left out for none."""
        if len(self.confidence) != len(self.is_signal):
            object.__setattr__(self, "confidence", np.broadcast_to(np.float64(np.nan), self.is_signal.shape))
        if len(self.break_even_distance) != len(self.is_signal):
            object.__setattr__(self, "break_even_distance", np.where(self.is_signal, 0.0, np.nan))

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.is_signal.shape[0])

    def take(self, rows: Ints | Bools) -> Proposals:
        """Return the given rows, by index or by mask."""
        return Proposals(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


P_contra = TypeVar("P_contra", contravariant=True)


class StrategyRule(Protocol[P_contra]):
    """A pure rule: what is known at a bar close in, proposals out.

    One that is also WithIndicators finds its own indicators in the frame. One with `optional_features` finds those as
    well, and copes with NaN in them.
    """

    # The name of the module that holds it as RULE.
    name: ClassVar[Strategy]
    # Features that the rule reads; a row with a NaN in one of them is warming up.
    required_features: ClassVar[tuple[str, ...]]
    # The dataclass of its parameters, which is the `[params]` table of its toml file.
    params: ClassVar[type]

    def evaluate(self, frame: FeatureFrame, params: P_contra) -> Proposals:
        """Return one proposal a row, none depending on another; raises InputError on a missing column."""
        ...

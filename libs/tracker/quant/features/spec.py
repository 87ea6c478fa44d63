"""What a feature is called, how it is computed, and when it may first be believed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One feature.

    `formula` in terms of o, h, l, c, v of a bar; `source` names the TA-Lib functions or "own"; `unit` is what
    the number counts; rows before `warmup_bars` are NaN, also where TA-Lib already yields numbers: a
    recursive average needs more bars than its first output to forget how it was seeded.
    """

    name: str
    formula: str
    source: str
    unit: str
    warmup_bars: int

"""What a feature is called, how it is computed, and when it may first be believed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """What a feature is computed from; the value is how the page of features says it."""

    OWN = "the symbol's own bars"
    HOUR = "the latest closed 1h bar"
    DAY = "the latest closed 1d bar"
    MARKET = "all symbols with a bar at the close"
    CLOCK = "the time of the close"


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One feature.

    `formula` in terms of o, h, l, c, v of a bar; `source` names the TA-Lib functions or "own"; `unit` is what
    the number counts; rows before `warmup_bars` are NaN, also where TA-Lib already yields numbers: a
    recursive average needs more bars than its first output to forget how it was seeded. The bars are the symbol's own,
    those of the hour or the day where `origin` says so.
    """

    name: str
    formula: str
    source: str
    unit: str
    warmup_bars: int
    origin: Origin = Origin.OWN

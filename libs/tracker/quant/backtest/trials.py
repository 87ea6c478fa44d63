"""How many configurations were tried before this one, which is what deflates a Sharpe ratio."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """`count` configurations of a strategy, this one included; `sharpe_variance` of their Sharpe ratios a day."""

    count: int
    sharpe_variance: float


ONLY_TRIAL = Trials(count=1, sharpe_variance=0.0)

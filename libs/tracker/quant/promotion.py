"""Whether a candidate may take the place of what is live: every criterion with its number and its limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import Field


class Comparison(StrEnum):
    """How a number has to lie to its limit."""

    AT_LEAST = "at least"
    ABOVE = "above"
    AT_MOST = "at most"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLimits:
    """What a candidate has to show in a window ('7d', '30d' or 'all'); returns are shares, after fees.

    `min_trade_return` is what the lower bound of the mean return of a trade has to lie above.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    window: Annotated[str, Field(pattern=r"^(1d|7d|30d|all)$")]
    min_days: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    min_trades: Annotated[int, Field(ge=1)]
    min_deflated_sharpe: Annotated[float, Field(gt=0, lt=1)]
    min_trade_return: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    min_half_return: Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a candidate has shown; None or NaN where a figure is not known.

    `deflated_sharpe` is the probability that its Sharpe ratio is more than the luck of the best of all that were tried;
    `lower_bound` that of the mean net return of a trade, one-sided; `rules_changed` how many rules of trading it was
    tried with that are not those the live trades by.
    """

    days: float | None
    trades: int | None
    deflated_sharpe: float | None
    lower_bound: float | None
    first_half_return: float | None
    second_half_return: float | None
    retired: bool
    rules_changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One thing that has to hold; `number` is None where it is not known, which never holds."""

    name: str
    number: float | None
    comparison: Comparison
    limit: float
    ok: bool

    @property
    def sentence(self) -> str:
        """Say it with its numbers."""
        number = "not known" if self.number is None else f"{self.number:.6g}"
        return f"{self.name} is {number}, and has to be {self.comparison} {self.limit:.6g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate says."""

    criteria: Sequence[Criterion]

    @property
    def passed(self) -> bool:
        """Tell whether every criterion holds."""
        return all(each.ok for each in self.criteria)

    @property
    def failed(self) -> list[Criterion]:
        """The criteria that do not hold."""
        return [each for each in self.criteria if not each.ok]


def gate(evidence: Evidence, limits: GateLimits) -> Verdict:
    """Judge a candidate by all criteria; a figure that is not known fails its own."""
    half = limits.min_half_return
    return Verdict(
        criteria=(
            criterion("days in the window", evidence.days, Comparison.AT_LEAST, limits.min_days),
            criterion("trades", evidence.trades, Comparison.AT_LEAST, limits.min_trades),
            criterion(
                "Deflated Sharpe over all variations",
                evidence.deflated_sharpe,
                Comparison.AT_LEAST,
                limits.min_deflated_sharpe,
            ),
            criterion(
                "lower bound of the mean net return a trade",
                evidence.lower_bound,
                Comparison.ABOVE,
                limits.min_trade_return,
            ),
            criterion("return of the first half", evidence.first_half_return, Comparison.ABOVE, half),
            criterion("return of the second half", evidence.second_half_return, Comparison.ABOVE, half),
            criterion("retired", float(evidence.retired), Comparison.AT_MOST, 0.0),
            criterion("rules of trading unlike the live ones", evidence.rules_changed, Comparison.AT_MOST, 0.0),
        )
    )


def criterion(name: str, number: float | None, comparison: Comparison, limit: float) -> Criterion:
    """Hold a number against its limit; one that is not known, None or not finite, never holds."""
    known = None if number is None or not math.isfinite(number) else float(number)
    match comparison:
        case Comparison.AT_LEAST:
            ok = known is not None and known >= limit
        case Comparison.ABOVE:
            ok = known is not None and known > limit
        case Comparison.AT_MOST:
            ok = known is not None and known <= limit
    return Criterion(name=name, number=known, comparison=comparison, limit=float(limit), ok=ok)

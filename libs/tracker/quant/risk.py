"""Whether a signal may become a trade at all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge

from tracker.domain.instrument import Instrument
from tracker.domain.order import RefusalReason
from tracker.domain.signal import Side, Signal, Strategy
from tracker.quant.execution import ExecutionParams
from tracker.quant.sizing import Approved, Refused, SizingParams, size_trade


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLimits:
    """How much may be at risk at once; the `[limits]` table of risk.toml."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    max_open_positions: Annotated[int, Ge(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskConfig:
    """The whole of risk.toml."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    sizing: SizingParams
    limits: RiskLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """What the rules look at: live trades (held or waiting for their entry), money in quote currency.

    `free_cash` is the cash that no waiting buy has a claim on.
    """

    live: AbstractSet[tuple[Strategy, int]]
    equity: float
    free_cash: float


def judge(
    signal: Signal,
    instrument: Instrument,
    portfolio: Portfolio,
    config: RiskConfig,
    execution: ExecutionParams,
) -> Approved | Refused:
    """Decide on a signal: its quantities, or the reason why not."""
    refused = _unusable(signal) or _over_limits(signal, portfolio, config.limits)
    if refused is not None:
        return refused
    return size_trade(signal, instrument, portfolio.equity, portfolio.free_cash, config.sizing, execution)


def _unusable(signal: Signal) -> Refused | None:
    if signal.side is not Side.LONG:
        return Refused(reason=RefusalReason.SIDE_NOT_SUPPORTED, note=f"side {signal.side}")
    defect = signal_defect(signal)
    return None if defect is None else Refused(reason=RefusalReason.INVALID_SIGNAL, note=defect)


def _over_limits(signal: Signal, portfolio: Portfolio, limits: RiskLimits) -> Refused | None:
    if (signal.strategy, signal.symbol_id) in portfolio.live:
        return Refused(reason=RefusalReason.ALREADY_OPEN, note="this strategy holds this symbol")
    if len(portfolio.live) >= limits.max_open_positions:
        return Refused(
            reason=RefusalReason.TOO_MANY_POSITIONS,
            note=f"{len(portfolio.live)} of {limits.max_open_positions} positions are open",
        )
    if portfolio.equity <= 0:
        return Refused(reason=RefusalReason.NO_EQUITY, note=f"equity {portfolio.equity:.2f}")
    return None


def signal_defect(signal: Signal) -> str | None:
    """Return why a long signal cannot be traded, naming field and value, or None where it can."""
    prices = (signal.stop, *reversed(signal.ladder), signal.entry, signal.target)
    if not all(math.isfinite(price) and price > 0 for price in prices):
        return f"prices {prices} must be finite numbers above 0"
    if any(lower >= upper for lower, upper in itertools.pairwise(prices)):
        return f"prices {prices} must rise from stop over ladder and entry to target"
    weights = signal.size_weights
    if len(weights) != len(signal.ladder) + 1:
        return f"size_weights has {len(weights)} values for {len(signal.ladder) + 1} buys"
    if not all(weight > 0 for weight in weights) or not math.isclose(sum(weights), 1.0, rel_tol=1e-6):
        return f"size_weights {weights} must be above 0 and sum to 1"
    if signal.expires_at <= signal.decided_at:
        return f"expires_at {signal.expires_at.isoformat()} is not after decided_at"
    for name in ("trail_distance", "break_even_distance"):
        distance: float = getattr(signal, name)
        if not (math.isfinite(distance) and distance >= 0):
            return f"{name} is {distance}, it must be a finite number of at least 0"
    if signal.target_fraction is not None and not 0 < signal.target_fraction < math.inf:
        return f"target_fraction is {signal.target_fraction}, it must be a finite number above 0"
    return None

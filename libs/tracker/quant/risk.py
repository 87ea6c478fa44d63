"""Whether a signal may become a trade at all."""

from __future__ import annotations

import itertools
import math
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le

from tracker.domain.instrument import Instrument, InstrumentStatus
from tracker.domain.order import RefusalReason
from tracker.domain.signal import Side, Signal, Strategy
from tracker.quant import risk_rules
from tracker.quant.execution import ExecutionParams
from tracker.quant.pricing import BPS
from tracker.quant.sizing import (
    AdaptivePositionSizer,
    Approved,
    Refused,
    Situation,
    SizingParams,
)

MINUTE_SECONDS = 60

Share = Annotated[float, Ge(0), Le(1)]
Minutes = Annotated[int, Ge(0), Le(525_600)]
Exposure = Annotated[float, Gt(0), Le(100)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLimits:
    """How much may be at risk at once; the `[limits]` table of risk.toml.

    Exposures are shares of equity: what is held at the last closes and what waiting orders would buy. None: no limit.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    max_open_positions: Annotated[int, Ge(1)]
    max_gross_exposure: Exposure | None = None
    max_symbol_exposure: Exposure | None = None
    max_cluster_exposure: Exposure | None = None
    cluster_correlation: Annotated[float, Ge(-1), Le(1)] = 1.0
    cluster_hours: Annotated[int, Ge(2), Le(2_000)] = 168
    cluster_least_hours: Annotated[int, Ge(2), Le(2_000)] = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class StopStreak:
    """`trades` losing stops in a row within a window lock the account; 0 turns it off."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    trades: Annotated[int, Ge(0), Le(100)] = 0
    window_minutes: Minutes = 0
    lock_minutes: Minutes = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CoolDown:
    """A symbol rests after each of its trades; 0 turns it off."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    lock_minutes: Minutes = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LowProfit:
    """A symbol whose trades of the window together returned less than `min_return` of their cost is locked."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    trades: Annotated[int, Ge(0), Le(1_000)] = 0
    window_minutes: Minutes = 0
    min_return: Annotated[float, Ge(-1), Le(1)] = 0.0
    lock_minutes: Minutes = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyLoss:
    """An account that loses this share of what it was worth as the day (UTC) began buys nothing until midnight."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    max_loss: Share = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdown:
    """What happens when equity falls from its peak: at `reduce_at` nothing is bought, at `halt_at` all is sold."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    reduce_at: Share = 0.0
    reduce_minutes: Minutes = 0
    halt_at: Share = 0.0
    halt_minutes: Minutes = 0

    def __post_init__(self) -> None:
        """Refuse a halt that comes before the reduction."""
        if 0.0 < self.halt_at <= self.reduce_at:
            raise ValueError(f"halt_at {self.halt_at} must be above reduce_at {self.reduce_at}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protections:
    """What locks an account or a symbol for a time; the `[protections]` table of risk.toml.

    What it leaves out is off.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    stop_streak: StopStreak = field(default_factory=StopStreak)
    cool_down: CoolDown = field(default_factory=CoolDown)
    low_profit: LowProfit = field(default_factory=LowProfit)
    daily_loss: DailyLoss = field(default_factory=DailyLoss)
    drawdown: Drawdown = field(default_factory=Drawdown)

    @property
    def marks(self) -> bool:
        """Whether any of them has to see the account's equity between its trades."""
        return self.daily_loss.max_loss > 0.0 or self.drawdown.reduce_at > 0.0 or self.drawdown.halt_at > 0.0

    @property
    def memory_minutes(self) -> int:
        """How far back closed trades and locks count."""
        return max(self.stop_streak.window_minutes, self.low_profit.window_minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskConfig:
    """The whole of risk.toml."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    sizing: SizingParams
    limits: RiskLimits
    protections: Protections = field(default_factory=Protections)

    @property
    def marks(self) -> bool:
        """Whether anything has to see the account's equity between its trades."""
        return self.protections.marks or self.sizing.drawdown.least < 1.0

    def numbers(self, execution: ExecutionParams) -> list[float]:
        """Return the limits as `tracker.quant.risk_rules` reads them."""
        p = [0.0] * risk_rules.LIMIT_SIZE
        self._put_limits(p, execution)
        self._put_scales(p)
        self._put_protections(p)
        return p

    def _put_limits(self, p: list[float], execution: ExecutionParams) -> None:
        sizing, limits = self.sizing, self.limits
        p[risk_rules.LIMIT_RISK] = sizing.risk_per_trade * sizing.size_multiplier
        p[risk_rules.LIMIT_SHARE] = sizing.max_position_share
        p[risk_rules.LIMIT_OPEN] = limits.max_open_positions
        p[risk_rules.LIMIT_VOLUME_SHARE] = execution.max_volume_share
        p[risk_rules.LIMIT_SLIP_RESERVE] = execution.slippage_cap_bps * BPS
        p[risk_rules.LIMIT_PRICE_AGE] = execution.max_price_age_seconds
        p[risk_rules.LIMIT_GROSS] = _unlimited(limits.max_gross_exposure)
        p[risk_rules.LIMIT_SYMBOL] = _unlimited(limits.max_symbol_exposure)
        p[risk_rules.LIMIT_CLUSTER] = _unlimited(limits.max_cluster_exposure)
        p[risk_rules.LIMIT_CORRELATION] = limits.cluster_correlation
        p[risk_rules.LIMIT_HOURS] = limits.cluster_hours
        p[risk_rules.LIMIT_LEAST_HOURS] = limits.cluster_least_hours

    def _put_scales(self, p: list[float]) -> None:
        sizing = self.sizing
        p[risk_rules.SCALE_LEAST], p[risk_rules.SCALE_MOST] = sizing.min_scale, sizing.max_scale
        thirds, regimes = sizing.volatility, sizing.regime
        p[risk_rules.SCALE_VOLATILITY : risk_rules.SCALE_VOLATILITY + 4] = [
            thirds.unknown,
            thirds.low,
            thirds.mid,
            thirds.high,
        ]
        p[risk_rules.SCALE_REGIME : risk_rules.SCALE_REGIME + 4] = [
            regimes.unknown,
            regimes.trend_up,
            regimes.trend_down,
            regimes.range,
        ]
        model, fall = sizing.confidence, sizing.drawdown
        p[risk_rules.CONFIDENCE_FROM], p[risk_rules.CONFIDENCE_TO] = model.at_least, model.at_most
        p[risk_rules.CONFIDENCE_LEAST], p[risk_rules.CONFIDENCE_MOST] = model.least, model.most
        p[risk_rules.CONFIDENCE_UNKNOWN] = model.without_model
        p[risk_rules.FALL_FROM], p[risk_rules.FALL_TO], p[risk_rules.FALL_LEAST] = fall.begins, fall.ends, fall.least

    def _put_protections(self, p: list[float]) -> None:
        streak, low = self.protections.stop_streak, self.protections.low_profit
        p[risk_rules.STREAK_TRADES] = streak.trades
        p[risk_rules.STREAK_WINDOW] = streak.window_minutes * MINUTE_SECONDS
        p[risk_rules.STREAK_LOCK] = streak.lock_minutes * MINUTE_SECONDS
        p[risk_rules.COOL_DOWN_LOCK] = self.protections.cool_down.lock_minutes * MINUTE_SECONDS
        p[risk_rules.LOW_TRADES] = low.trades
        p[risk_rules.LOW_WINDOW] = low.window_minutes * MINUTE_SECONDS
        p[risk_rules.LOW_RETURN] = low.min_return
        p[risk_rules.LOW_LOCK] = low.lock_minutes * MINUTE_SECONDS
        p[risk_rules.DAILY_LOSS] = self.protections.daily_loss.max_loss
        fall = self.protections.drawdown
        p[risk_rules.REDUCE_AT], p[risk_rules.REDUCE_LOCK] = fall.reduce_at, fall.reduce_minutes * MINUTE_SECONDS
        p[risk_rules.HALT_AT], p[risk_rules.HALT_LOCK] = fall.halt_at, fall.halt_minutes * MINUTE_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """What the rules look at: live trades (held or waiting for their entry), and how the account stands.

    `locked` says what protection holds a new trade in the signal's symbol back, if any does. The free cash of
    `situation` is what no waiting buy has a claim on.
    """

    live: AbstractSet[tuple[Strategy, int]]
    situation: Situation
    locked: Refused | None = None


def judge(
    signal: Signal,
    instrument: Instrument,
    portfolio: Portfolio,
    limits: RiskLimits,
    sizer: AdaptivePositionSizer,
) -> Approved | Refused:
    """Decide on a signal: its quantities, or the reason why not."""
    refused = (
        _unusable(signal)
        or _without_price(signal, instrument, sizer.execution)
        or _over_limits(signal, portfolio, limits)
    )
    return sizer.size(signal, instrument, portfolio.situation) if refused is None else refused


def _unusable(signal: Signal) -> Refused | None:
    if signal.side is not Side.LONG:
        return Refused(reason=RefusalReason.SIDE_NOT_SUPPORTED, note=f"side {signal.side}")
    defect = signal_defect(signal)
    return None if defect is None else Refused(reason=RefusalReason.INVALID_SIGNAL, note=defect)


def _without_price(signal: Signal, instrument: Instrument, execution: ExecutionParams) -> Refused | None:
    if instrument.status is not InstrumentStatus.ACTIVE:
        return Refused(reason=RefusalReason.SYMBOL_HALTED, note=f"{instrument.symbol} is {instrument.status}")
    age = 0.0 if signal.priced_at is None else (signal.decided_at - signal.priced_at).total_seconds()
    if age <= execution.max_price_age_seconds:
        return None
    note = f"the last bar had closed {age / 60.0:.0f} min before, at most {execution.max_price_age_minutes} may pass"
    return Refused(reason=RefusalReason.STALE_PRICE, note=note)


def _over_limits(signal: Signal, portfolio: Portfolio, limits: RiskLimits) -> Refused | None:
    if (signal.strategy, signal.symbol_id) in portfolio.live:
        return Refused(reason=RefusalReason.ALREADY_OPEN, note="this strategy holds this symbol")
    if portfolio.locked is not None:
        return portfolio.locked
    if len(portfolio.live) >= limits.max_open_positions:
        return Refused(
            reason=RefusalReason.TOO_MANY_POSITIONS,
            note=f"{len(portfolio.live)} of {limits.max_open_positions} positions are open",
        )
    if portfolio.situation.equity <= 0:
        return Refused(reason=RefusalReason.NO_EQUITY, note=f"equity {portfolio.situation.equity:.2f}")
    return None


def _unlimited(limit: float | None) -> float:
    return math.inf if limit is None else limit


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

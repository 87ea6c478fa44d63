"""How much of a trade may be bought."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le

from tracker.domain.instrument import Instrument
from tracker.domain.money import decimal_of, floor_quantity, quantity_step
from tracker.domain.order import RefusalReason
from tracker.domain.signal import Regime, Signal, Volatility
from tracker.quant import risk_rules
from tracker.quant.execution import ExecutionParams
from tracker.quant.pricing import BPS
from tracker.quant.risk_rules import ROUNDING_RESERVE

# In the order in which the rules number them.
VOLATILITIES = (Volatility.UNKNOWN, Volatility.LOW, Volatility.MID, Volatility.HIGH)
REGIMES = (Regime.UNKNOWN, Regime.TREND_UP, Regime.TREND_DOWN, Regime.RANGE)
# What bounded a size, and the refusal where that leaves too little.
BOUNDS = ("risk", "position_share", "gross_exposure", "symbol_exposure", "correlated_exposure", "cash")
TOO_LITTLE = (
    RefusalReason.BELOW_MIN_NOTIONAL,
    RefusalReason.BELOW_MIN_NOTIONAL,
    RefusalReason.GROSS_EXPOSURE,
    RefusalReason.SYMBOL_EXPOSURE,
    RefusalReason.CORRELATED_EXPOSURE,
    RefusalReason.NO_CASH,
)

Factor = Annotated[float, Ge(0), Le(10)]


@dataclass(frozen=True, slots=True, kw_only=True)
class VolatilityScale:
    """Factors for the third of its own last days in which a symbol's volatility lies."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    low: Factor = 1.0
    mid: Factor = 1.0
    high: Factor = 1.0
    unknown: Factor = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeScale:
    """Factors for the market's regime at the decision."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    trend_up: Factor = 1.0
    trend_down: Factor = 1.0
    range: Factor = 1.0
    unknown: Factor = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceScale:
    """A factor linear in the model's probability: `least` at `at_least` and below, `most` at `at_most` and above."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    at_least: Annotated[float, Ge(0), Le(1)] = 0.0
    at_most: Annotated[float, Ge(0), Le(1)] = 1.0
    least: Factor = 1.0
    most: Factor = 1.0
    without_model: Factor = 1.0

    def __post_init__(self) -> None:
        """Refuse a line that does not rise."""
        if self.at_least >= self.at_most:
            raise ValueError(f"at_least {self.at_least} must be below at_most {self.at_most}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawdownScale:
    """A factor that falls from 1 at an equity drawdown of `begins` to `least` at `ends`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    begins: Annotated[float, Ge(0), Le(1)] = 0.0
    ends: Annotated[float, Ge(0), Le(1)] = 1.0
    least: Annotated[float, Ge(0), Le(1)] = 1.0

    def __post_init__(self) -> None:
        """Refuse a line that does not fall."""
        if self.begins >= self.ends:
            raise ValueError(f"begins {self.begins} must be below ends {self.ends}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingParams:
    """How much is staked on a trade; the `[sizing]` table of risk.toml. What it leaves out scales nothing."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    risk_per_trade: Annotated[float, Gt(0), Le(1)]
    size_multiplier: Annotated[float, Gt(0), Le(10)]
    max_position_share: Annotated[float, Gt(0), Le(1)]
    min_scale: Factor = 0.0
    max_scale: Factor = 10.0
    volatility: VolatilityScale = field(default_factory=VolatilityScale)
    regime: RegimeScale = field(default_factory=RegimeScale)
    confidence: ConfidenceScale = field(default_factory=ConfidenceScale)
    drawdown: DrawdownScale = field(default_factory=DrawdownScale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a size depends on besides the signal; money in quote currency.

    `gross` and `symbol` are what is held at the last closes and would be bought by waiting orders, in all and in the
    signal's symbol; `cluster` returns that of the symbols that move with it. `fall` is the equity's from its peak.
    """

    equity: float
    free_cash: float
    gross: float = 0.0
    symbol: float = 0.0
    cluster: Callable[[], float] = float
    fall: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """Quantities in base currency, first the entry's, then the rungs'; `step` divides them all.

    `how` names what bounded the size, one of BOUNDS, and `scaled` in words by how much and why it was scaled.
    `reserved` is the cash to set aside.
    """

    quantities: tuple[Decimal, ...]
    step: Decimal
    how: str
    reserved: float
    scaled: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A trade that may not be, and the numbers that say why."""

    reason: RefusalReason
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptivePositionSizer:
    """Sizes a trade so that its stop costs a part of equity, scaled by how the market and the account stand.

    `limits` are the numbers of `tracker.quant.risk_rules`.
    """

    limits: Sequence[float]
    execution: ExecutionParams

    def size(self, signal: Signal, instrument: Instrument, situation: Situation) -> Approved | Refused:
        """Return the quantities, or why there are none.

        The loss is counted from the average price of the whole ladder; `size_weights` are shares of the quantity.
        Risk and the largest share in one trade bound it first, then it is scaled, then the exposures and the free
        cash, fees and worst slippage included, cut it down.
        """
        prices = (signal.entry, *signal.ladder)
        average = sum(price * weight for price, weight in zip(prices, signal.size_weights, strict=True))
        scale = self._scale(signal, situation.fall)
        total, by = risk_rules.risked_quantity(self.limits, situation.equity, average, signal.stop, scale)
        total, by = self._within_exposures(total, by, average, situation)
        unit_cost = _reserved(prices, signal.size_weights, self.execution)
        total, by = risk_rules.within(total, by, situation.free_cash - ROUNDING_RESERVE, unit_cost, risk_rules.BY_CASH)
        if total <= 0:
            return Refused(reason=TOO_LITTLE[by], note=_note_of(by, situation, self.limits))
        step = quantity_step(instrument.lot_step, total)
        quantities = tuple(floor_quantity(decimal_of(total * weight), step) for weight in signal.size_weights)
        smallest = min(decimal_of(price) * each for price, each in zip(prices, quantities, strict=True))
        if smallest <= 0 or smallest < instrument.min_notional:
            why = _note_of(by, situation, self.limits)
            note = f"smallest buy {smallest:.2f}, minimum {instrument.min_notional}; {why}"
            return Refused(reason=TOO_LITTLE[by], note=note)
        reserved = _reserved(prices, [float(each) for each in quantities], self.execution)
        return Approved(
            quantities=quantities,
            step=step,
            how=BOUNDS[by],
            reserved=reserved,
            scaled=self._words(signal, situation.fall, scale),
        )

    def _within_exposures(self, total: float, by: int, average: float, now: Situation) -> tuple[float, int]:
        p, equity = self.limits, now.equity
        for limit, used, bound in (
            (p[risk_rules.LIMIT_GROSS], now.gross, risk_rules.BY_GROSS),
            (p[risk_rules.LIMIT_SYMBOL], now.symbol, risk_rules.BY_SYMBOL),
        ):
            total, by = risk_rules.within(total, by, limit * equity - used, average, bound)
        most = p[risk_rules.LIMIT_CLUSTER] * equity
        # What moves together is part of all there is: where that fits, so does the part.
        if now.gross + total * average > most:
            total, by = risk_rules.within(total, by, most - now.cluster(), average, risk_rules.BY_CLUSTER)
        return total, by

    def _scale(self, signal: Signal, fall: float) -> float:
        return risk_rules.scale_of(
            self.limits,
            VOLATILITIES.index(signal.volatility),
            REGIMES.index(signal.regime),
            _number(signal.confidence),
            fall,
        )

    def _words(self, signal: Signal, fall: float, scale: float) -> str:
        p = self.limits
        volatility = p[risk_rules.SCALE_VOLATILITY + VOLATILITIES.index(signal.volatility)]
        regime = p[risk_rules.SCALE_REGIME + REGIMES.index(signal.regime)]
        spoken = risk_rules.confidence_scale(p, _number(signal.confidence))
        fallen = risk_rules.fall_scale(p, fall)
        if {scale, volatility, regime, spoken, fallen} == {1.0}:
            return ""
        model = "no model" if signal.confidence is None else f"confidence {signal.confidence:.2f}"
        return (
            f"scaled by {scale:.4g}: volatility {signal.volatility} {volatility:.4g}, regime {signal.regime} "
            f"{regime:.4g}, {model} {spoken:.4g}, "
            f"drawdown {fall:.2%} {fallen:.4g}"
        )


def reserve_price(price: float, execution: ExecutionParams, *, maker: bool) -> float:
    """Return the cash that one unit of an order at `price` ties up, with its fee and worst slippage."""
    slip = 0.0 if maker else execution.slippage_cap_bps * BPS
    return price * (1.0 + slip) * (1.0 + execution.fee_rate(maker=maker))


def _note_of(by: int, now: Situation, limits: Sequence[float]) -> str:
    """Say what bounded a size, with its numbers."""
    share = {
        risk_rules.BY_GROSS: ("all trades", now.gross, risk_rules.LIMIT_GROSS),
        risk_rules.BY_SYMBOL: ("the symbol", now.symbol, risk_rules.LIMIT_SYMBOL),
    }
    if by in share:
        whose, used, limit = share[by]
        return f"exposure of {whose} {used:.2f} of {limits[limit] * now.equity:.2f}, equity {now.equity:.2f}"
    if by == risk_rules.BY_CLUSTER:
        most = limits[risk_rules.LIMIT_CLUSTER] * now.equity
        return f"exposure of what moves with the symbol {now.cluster():.2f} of {most:.2f}, equity {now.equity:.2f}"
    if by == risk_rules.BY_CASH:
        return f"free cash {now.free_cash:.2f}, equity {now.equity:.2f}"
    return f"sized by {BOUNDS[by]}, equity {now.equity:.2f}"


def _number(confidence: float | None) -> float:
    return math.nan if confidence is None else confidence


def _reserved(prices: Sequence[float], quantities: Sequence[float], execution: ExecutionParams) -> float:
    """Return what an entry and its rungs tie up together."""
    return sum(
        reserve_price(price, execution, maker=index > 0) * quantity
        for index, (price, quantity) in enumerate(zip(prices, quantities, strict=True))
    )

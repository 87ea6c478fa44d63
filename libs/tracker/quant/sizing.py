"""How much of a trade may be bought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from annotated_types import Gt, Le

from tracker.domain.instrument import Instrument
from tracker.domain.money import decimal_of, floor_quantity, quantity_step
from tracker.domain.order import RefusalReason
from tracker.domain.signal import Signal
from tracker.quant.execution import ExecutionParams
from tracker.quant.pricing import BPS

# Quote currency that stays free: the ledger rounds each fee up.
ROUNDING_RESERVE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingParams:
    """How much is staked on a trade; the `[sizing]` table of risk.toml."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    risk_per_trade: Annotated[float, Gt(0), Le(1)]
    size_multiplier: Annotated[float, Gt(0), Le(10)]
    max_position_share: Annotated[float, Gt(0), Le(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """Quantities in base currency, first the entry's, then the rungs'; `step` divides them all.

    `how` names what bounded the size: 'risk', 'position_share' or 'cash'. `reserved` is the cash to set
    aside.
    """

    quantities: tuple[Decimal, ...]
    step: Decimal
    how: str
    reserved: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A trade that may not be, and the numbers that say why."""

    reason: RefusalReason
    note: str


def size_trade(
    signal: Signal,
    instrument: Instrument,
    equity: float,
    free_cash: float,
    params: SizingParams,
    execution: ExecutionParams,
) -> Approved | Refused:
    """Size a trade so that its stop costs a fixed part of `equity` (both in quote currency).

    The loss is counted from the average price of the whole ladder; `size_weights` are shares of the
    quantity. Capped by a share of equity and by the free cash, fees and worst slippage included.
    """
    prices = (signal.entry, *signal.ladder)
    average = sum(price * weight for price, weight in zip(prices, signal.size_weights, strict=True))
    unit_cost = _reserved(prices, signal.size_weights, execution)
    bounds = (
        (equity * params.risk_per_trade * params.size_multiplier / (average - signal.stop), "risk"),
        (equity * params.max_position_share / average, "position_share"),
        ((free_cash - ROUNDING_RESERVE) / unit_cost, "cash"),
    )
    total, how = min(bounds)
    if total <= 0:
        return Refused(reason=RefusalReason.NO_CASH, note=f"free cash {free_cash:.2f}, equity {equity:.2f}")
    step = quantity_step(instrument.lot_step, total)
    quantities = tuple(floor_quantity(decimal_of(total * weight), step) for weight in signal.size_weights)
    smallest = min(decimal_of(price) * each for price, each in zip(prices, quantities, strict=True))
    if smallest <= 0 or smallest < instrument.min_notional:
        reason = RefusalReason.NO_CASH if how == "cash" else RefusalReason.BELOW_MIN_NOTIONAL
        note = f"smallest buy {smallest:.2f} by {how}, minimum {instrument.min_notional}"
        return Refused(reason=reason, note=note)
    reserved = _reserved(prices, [float(each) for each in quantities], execution)
    return Approved(quantities=quantities, step=step, how=how, reserved=reserved)


def _reserved(prices: Sequence[float], quantities: Sequence[float], execution: ExecutionParams) -> float:
    """Return what an entry and its rungs tie up together."""
    return sum(
        reserve_price(price, execution, maker=index > 0) * quantity
        for index, (price, quantity) in enumerate(zip(prices, quantities, strict=True))
    )


def reserve_price(price: float, execution: ExecutionParams, *, maker: bool) -> float:
    """Return the cash that one unit of an order at `price` ties up, with its fee and worst slippage."""
    slip = 0.0 if maker else execution.slippage_cap_bps * BPS
    return price * (1.0 + slip) * (1.0 + execution.fee_rate(maker=maker))

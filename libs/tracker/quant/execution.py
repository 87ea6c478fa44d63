"""What one bar does to one trade: the fill rules, alike for paper trading, backtest and labels.

Order within a bar, which only ever assumes what is certain or what is worse for us:

1. At the open: the rest of an exit that has begun; the time-out; the market entry; ladder rungs and the
   stop that the open has jumped; the target that it has jumped.
2. The adverse side: the remaining rungs from the top, each only while it lies above the stop, then the stop.
3. The favourable side: the target, not if the stop was touched. A rung filled in step 2 moves the average
   and the target, and whether the price came back up to it is certain only where the bar closes there.
4. At the close: the trailing stop, from the highs of closed bars, for the bars to come.

Long only. Prices are in quote currency, quantities in base currency, times in Unix seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le

from tracker.domain.candle import Candle
from tracker.domain.order import ExitReason, OrderKind
from tracker.quant.pricing import (
    BPS,
    floor_to_step,
    limit_buy,
    limit_sell,
    market_buy,
    market_sell,
    slippage,
    stop_reference,
    trailed_stop,
)
from tracker.quant.trade import Execution, Trade

# Room for the rounding of price and fee in the ledger, after the cash was counted in floats.
CASH_MARGIN = 1e-9
FEE_MARGIN = 1e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionParams:
    """What trading costs and how much of a bar it may take; the `[execution]` table of paper_trading.toml."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    maker_fee_bps: Annotated[float, Ge(0), Le(500)]
    taker_fee_bps: Annotated[float, Ge(0), Le(500)]
    slippage_base_bps: Annotated[float, Ge(0), Le(1_000)]
    slippage_impact_bps: Annotated[float, Ge(0)]
    slippage_cap_bps: Annotated[float, Ge(0), Le(1_000)]
    max_volume_share: Annotated[float, Gt(0), Le(1)]
    entry_valid_bars: Annotated[int, Ge(1)]

    def fee_rate(self, *, maker: bool) -> float:
        """Return the fee as a fraction of the traded value."""
        return (self.maker_fee_bps if maker else self.taker_fee_bps) * BPS


@dataclass(slots=True)
class _Walk:
    trade: Trade
    bar: Candle
    rules: ExecutionParams
    budget: float
    cash: float
    done: list[Execution] = field(default_factory=list[Execution])


def walk_bar(
    trade: Trade, bar: Candle, rules: ExecutionParams, budget: float, cash: float = math.inf
) -> list[Execution]:
    """Apply one bar to a trade and return its fills, at most one for each order.

    `budget` is the quantity that may trade in this bar (see `volume_budget`), `cash` what the entry may
    cost with its fee.
    """
    if bar.ts < trade.opens_from:
        return []
    walk = _Walk(trade, bar, rules, budget, cash)
    if bar.ts >= trade.entry_until:
        trade.entry_rest = 0.0
    _at_open(walk)
    deep = _on_the_way_down(walk)
    _on_the_way_up(walk, deep)
    if trade.held > 0.0:
        observe(trade, bar)
    return walk.done


def volume_budget(bar: Candle, rules: ExecutionParams) -> float:
    """Return the quantity that all orders together may trade in a bar."""
    return bar.volume * rules.max_volume_share


def is_quiet(trade: Trade, bar: Candle) -> bool:
    """Return whether a bar fills nothing, so that `observe` is all it does to the trade."""
    if trade.held <= 0.0 or trade.entry_rest > 0.0 or trade.leaving is not None or bar.ts >= trade.expires_at:
        return False
    if bar.low <= trade.stop or bar.high >= trade.target:
        return False
    for rung in trade.rungs:  # a loop: a generator would cost more than all the rest
        if rung.rest > 0.0 and bar.low <= rung.price:
            return False
    return True


def observe(trade: Trade, bar: Candle) -> None:
    """Take a closed bar's extremes in; the trailing stop follows them for the bars to come."""
    trade.highest = max(trade.highest, bar.high)
    trade.lowest = min(trade.lowest, bar.low)
    trade.stop = trailed_stop(trade.stop, trade.highest, trade.trail_distance)


def _at_open(walk: _Walk) -> None:
    trade, bar = walk.trade, walk.bar
    if trade.leaving not in (None, ExitReason.TARGET):
        _sell_at_market(walk, bar.open, at_open=True)
        return
    if bar.ts >= trade.expires_at:
        _leave(trade, _stop_reason(trade) if bar.open <= trade.stop else ExitReason.TIMEOUT)
        _sell_at_market(walk, bar.open, at_open=True)
        return
    _enter(walk)
    _fill_rungs(walk, at_open=True)
    if trade.held > 0.0 and bar.open <= trade.stop:
        _leave(trade, _stop_reason(trade))
        _sell_at_market(walk, bar.open, at_open=True)
    elif trade.held > 0.0 and bar.open >= trade.target:
        _sell_at_target(walk, bar.open, at_open=True)


def _on_the_way_down(walk: _Walk) -> bool:
    """Fill rungs, then the stop; return whether a rung was filled at an unknown moment of the bar."""
    trade, bar = walk.trade, walk.bar
    if trade.held <= 0.0 or trade.leaving not in (None, ExitReason.TARGET):
        return False
    deep = _fill_rungs(walk, at_open=False)
    reference = stop_reference(trade.stop, bar.open, bar.low)
    if not math.isnan(reference):
        _leave(trade, _stop_reason(trade))
        _sell_at_market(walk, reference, at_open=False)
    return deep


def _on_the_way_up(walk: _Walk, deep: bool) -> None:
    trade, bar = walk.trade, walk.bar
    if trade.held <= 0.0 or trade.leaving not in (None, ExitReason.TARGET):
        return
    price = limit_sell(trade.target, bar.open, bar.high)
    if not math.isnan(price) and (not deep or bar.close >= trade.target):
        trade.lowest = min(trade.lowest, bar.low)
        # A rung filled after the open: the opening price, if above the new target, was there before it.
        _sell_at_target(walk, trade.target if deep else price, at_open=False)


def _enter(walk: _Walk) -> None:
    trade, bar, rules = walk.trade, walk.bar, walk.rules
    wanted = min(trade.entry_rest, walk.budget)
    if trade.leaving is not None or wanted <= 0.0:
        return
    dearest = _buy_price(wanted, bar, rules) * (1.0 + rules.fee_rate(maker=False))
    spendable = walk.cash * (1.0 - CASH_MARGIN) - FEE_MARGIN
    quantity = floor_to_step(min(wanted, spendable / dearest), trade.step)
    if quantity <= 0.0:
        return
    trade.entry_rest = _less(trade.entry_rest, quantity, trade.step)
    price = _buy_price(quantity, bar, rules)
    _bought(
        walk,
        Execution(
            kind=OrderKind.ENTRY,
            quantity=quantity,
            price=price,
            reference=bar.open,
            maker=False,
            at_open=True,
        ),
    )


def _fill_rungs(walk: _Walk, *, at_open: bool) -> bool:
    trade, bar = walk.trade, walk.bar
    if trade.bought <= 0.0 or trade.leaving is not None:
        return False
    filled = False
    lowest_seen = bar.open if at_open else bar.low
    for index, rung in enumerate(trade.rungs):
        price = limit_buy(rung.price, bar.open, lowest_seen)
        # A stop that has trailed above a rung is touched before it.
        if math.isnan(price) or (rung.price <= trade.stop):
            continue
        quantity = floor_to_step(min(rung.rest, walk.budget), trade.step)
        if quantity <= 0.0:
            continue
        rung.rest = _less(rung.rest, quantity, trade.step)
        _bought(
            walk,
            Execution(
                kind=OrderKind.RUNG,
                rung=index,
                quantity=quantity,
                price=price,
                reference=price,
                maker=True,
                at_open=at_open,
            ),
        )
        filled = True
    return filled


def _bought(walk: _Walk, execution: Execution) -> None:
    trade = walk.trade
    walk.budget -= execution.quantity
    trade.held += execution.quantity
    trade.bought += execution.quantity
    trade.cost += execution.quantity * execution.price
    trade.highest = max(trade.highest, execution.price)
    trade.lowest = min(trade.lowest, execution.price)
    if trade.target_fraction is not None:
        trade.target = trade.cost / trade.bought * (1.0 + trade.target_fraction)
    walk.done.append(execution)


def _sell_at_market(walk: _Walk, reference: float, *, at_open: bool) -> None:
    trade, bar, rules = walk.trade, walk.bar, walk.rules
    quantity = floor_to_step(min(trade.held, walk.budget), trade.step)
    slip = slippage(
        quantity, bar.volume, rules.slippage_base_bps, rules.slippage_impact_bps, rules.slippage_cap_bps
    )
    _sold(walk, quantity, market_sell(reference, bar.low, slip), reference, maker=False, at_open=at_open)


def _sell_at_target(walk: _Walk, price: float, *, at_open: bool) -> None:
    quantity = floor_to_step(min(walk.trade.held, walk.budget), walk.trade.step)
    if quantity > 0.0:
        _leave(walk.trade, ExitReason.TARGET)
    _sold(walk, quantity, price, price, maker=True, at_open=at_open)


def _sold(
    walk: _Walk, quantity: float, price: float, reference: float, *, maker: bool, at_open: bool
) -> None:
    trade = walk.trade
    if quantity <= 0.0:
        return
    walk.budget -= quantity
    trade.held = _less(trade.held, quantity, trade.step)
    trade.highest = max(trade.highest, price)
    trade.lowest = min(trade.lowest, price)
    walk.done.append(
        Execution(
            kind=OrderKind.EXIT,
            reason=trade.leaving,
            quantity=quantity,
            price=price,
            reference=reference,
            maker=maker,
            at_open=at_open,
        )
    )


def _leave(trade: Trade, reason: ExitReason) -> None:
    """Begin an exit: from here on nothing is bought."""
    trade.leaving = reason
    trade.entry_rest = 0.0
    for rung in trade.rungs:
        rung.rest = 0.0


def _stop_reason(trade: Trade) -> ExitReason:
    return ExitReason.TRAILING if trade.stop > trade.initial_stop else ExitReason.STOP


def _buy_price(quantity: float, bar: Candle, rules: ExecutionParams) -> float:
    slip = slippage(
        quantity, bar.volume, rules.slippage_base_bps, rules.slippage_impact_bps, rules.slippage_cap_bps
    )
    return market_buy(bar.open, bar.high, slip)


def _less(quantity: float, taken: float, step: float) -> float:
    """Subtract, with the crumbs of float arithmetic swept up."""
    rest = quantity - taken
    return rest if rest >= step / 2 else 0.0

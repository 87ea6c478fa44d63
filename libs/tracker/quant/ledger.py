"""Exact book-keeping: what a fill does to a position and to an account.

At any moment cash + positions value = start cash + realised (gross) + unrealised - fees, to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal, localcontext

from tracker.domain.account import Account, EquityPoint
from tracker.domain.errors import InputError
from tracker.domain.fill import Fill, Liquidity
from tracker.domain.money import EXACT, FEE_STEP, fee_of, price_of, quantity_of
from tracker.domain.order import Order, OrderKey, OrderSide, OrderStatus
from tracker.domain.position import Position, PositionStatus
from tracker.domain.trade import ClosedTrade
from tracker.quant.execution import ExecutionParams
from tracker.quant.trade import Execution

ZERO = Decimal(0)


def fill_of(
    execution: Execution,
    order: Order,
    step: Decimal,
    rules: ExecutionParams,
    opened_at: datetime,
    closed_at: datetime,
) -> Fill:
    """Turn a fill in floats into the ledger's; `opened_at` and `closed_at` are the bar's ends."""
    price = price_of(execution.price)
    quantity = min(quantity_of(execution.quantity, step), order.rest)
    with localcontext(EXACT):
        notional = price * quantity
    return Fill(
        order=order.key,
        side=order.side,
        bar_ts=opened_at,
        filled_at=opened_at if execution.at_open else closed_at,
        quantity=quantity,
        price=price,
        reference_price=price_of(execution.reference),
        fee=fee_of(notional, rules.fee_rate(maker=execution.maker)),
        liquidity=Liquidity.MAKER if execution.maker else Liquidity.TAKER,
    )


def book_order(order: Order, fill: Fill) -> Order:
    """Count a fill towards its order."""
    filled = order.filled_quantity + fill.quantity
    if filled < order.quantity:
        return replace(order, filled_quantity=filled, status=OrderStatus.PARTIAL)
    return replace(order, filled_quantity=filled, status=OrderStatus.FILLED, ended_at=fill.filled_at)


def book_position(position: Position, fill: Fill) -> Position:
    """Count a fill towards its position."""
    with localcontext(EXACT):
        notional = fill.price * fill.quantity
        fees = position.fees + fill.fee
        if fill.side is OrderSide.BUY:
            return replace(
                position,
                status=PositionStatus.OPEN,
                fees=fees,
                quantity=position.quantity + fill.quantity,
                cost=position.cost + notional,
                bought_quantity=position.bought_quantity + fill.quantity,
                bought_cost=position.bought_cost + notional,
                opened_at=position.opened_at or fill.filled_at,
            )
        rest = position.quantity - fill.quantity
        sold_cost = _cost_of(position, fill.quantity)
        return replace(
            position,
            fees=fees,
            quantity=rest,
            cost=position.cost - sold_cost,
            proceeds=position.proceeds + notional,
            realised_pnl=position.realised_pnl + notional - sold_cost,
            status=PositionStatus.OPEN if rest else PositionStatus.CLOSED,
            closed_at=None if rest else fill.filled_at,
        )


def booked(fill: Fill, before: Position, after: Position) -> Fill:
    """Complete a fill that took a position from `before` to `after` with its cost and what it realised."""
    with localcontext(EXACT):
        return replace(
            fill, cost=abs(after.cost - before.cost), realised_pnl=after.realised_pnl - before.realised_pnl
        )


def book_account(account: Account, fill: Fill, before: Position, after: Position) -> Account:
    """Move the cash of a fill that took a position from `before` to `after`."""
    with localcontext(EXACT):
        notional = fill.price * fill.quantity
        flow = -notional if fill.side is OrderSide.BUY else notional
        return replace(
            account,
            cash=account.cash + flow - fill.fee,
            fees=account.fees + fill.fee,
            realised_pnl=account.realised_pnl + after.realised_pnl - before.realised_pnl,
        )


def book_cash(account: Account, amount: Decimal) -> Account:
    """Count money that came in, or went out below 0, and is neither profit nor loss."""
    return replace(account, cash=EXACT.add(account.cash, amount))


def value_of(position: Position) -> Decimal:
    """Return what is held at the last close, in quote currency."""
    with localcontext(EXACT):
        return position.quantity * (position.last_price or ZERO)


def mark(account: Account, positions: Iterable[Position], ts: datetime) -> EquityPoint:
    """Value an account with its open positions at their last closes."""
    value, cost, held = ZERO, ZERO, 0
    with localcontext(EXACT):
        for position in positions:
            if position.quantity:
                value, cost, held = value + value_of(position), cost + position.cost, held + 1
        return EquityPoint(
            account=account.account,
            ts=ts,
            cash=account.cash,
            positions_value=value,
            realised_pnl=account.realised_pnl,
            unrealised_pnl=value - cost,
            fees=account.fees,
            open_positions=held,
        )


def trade_of(position: Position) -> ClosedTrade:
    """Summarise a closed position.

    Raises InputError where it is not closed.
    """
    if position.leaving is None or position.opened_at is None or position.closed_at is None:
        raise InputError(f"{position.strategy} in symbol {position.symbol_id} is not a closed position")
    with localcontext(EXACT):
        entry = position.bought_cost / position.bought_quantity
        exit_price = position.proceeds / position.bought_quantity
        worst = (position.lowest_price or entry) / entry - 1
        best = (position.highest_price or entry) / entry - 1
        gross = position.proceeds - position.bought_cost
    return ClosedTrade(
        account=position.account,
        strategy=position.strategy,
        symbol_id=position.symbol_id,
        decided_at=position.decided_at,
        signal_id=position.signal_id,
        config_hash=position.config_hash,
        rules_hash=position.rules_hash,
        side=position.side,
        entry_time=position.opened_at,
        exit_time=position.closed_at,
        entry_price=price_of(float(entry)),
        exit_price=price_of(float(exit_price)),
        quantity=position.bought_quantity,
        gross_pnl=gross,
        fees=position.fees,
        stop_loss_price=price_of(float(position.stop_price)),
        take_profit_price=price_of(float(position.target_price)),
        exit_reason=position.leaving,
        mae=min(float(worst), 0.0),
        mfe=max(float(best), 0.0),
    )


def order_key(position: Position, leg: str) -> OrderKey:
    """Return the identity of one of a position's orders."""
    return OrderKey(
        account=position.account,
        strategy=position.strategy,
        symbol_id=position.symbol_id,
        decided_at=position.decided_at,
        leg=leg,
    )


def _cost_of(position: Position, quantity: Decimal) -> Decimal:
    """Return the cost of a part of what is held; the last part takes the rest, so nothing is lost."""
    if quantity == position.quantity:
        return position.cost
    return (position.cost * quantity / position.quantity).quantize(FEE_STEP)

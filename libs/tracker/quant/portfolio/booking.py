"""From what a bar did to a trade to the rows of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from tracker.domain.candle import Candle
from tracker.domain.money import price_of
from tracker.domain.order import (
    ENTRY_LEG,
    ExitReason,
    Order,
    OrderKind,
    OrderSide,
    OrderStatus,
)
from tracker.domain.position import PositionStatus
from tracker.quant.execution import ExecutionParams
from tracker.quant.ledger import book_account, book_order, book_position, booked, fill_of, order_key, trade_of
from tracker.quant.portfolio.book import Book, LiveTrade, moment_of, seconds_of
from tracker.quant.trade import Execution

# Exits for which no price was set: what they refer to is the price they began at.
AT_MARKET = (ExitReason.TIMEOUT, ExitReason.FLATTEN)


def book_executions(
    book: Book,
    live: LiveTrade,
    executions: Sequence[Execution],
    candle: Candle,
    closed_at: datetime,
    rules: ExecutionParams,
) -> None:
    """Write a bar's fills into the book and end what they end."""
    live.see(candle.close, seconds_of(closed_at))
    live.settle()
    for execution in executions:
        order = _order_of(book, live, execution, closed_at)
        fill = fill_of(execution, order, live.position.quantity_step, rules, moment_of(candle.ts), closed_at)
        before = live.position
        live.position = book_position(before, fill)
        book.account = book_account(book.account, fill, before, live.position)
        book.put_order(live, book_order(order, fill))
        book.fills.append(booked(fill, before, live.position))
    if live.trade.leaving is not None and live.position.quantity > 0:
        exit_order(book, live, live.trade.leaving, candle.open, closed_at)
    settle_orders(book, live, closed_at)
    if executions and live.position.live:
        live.reload()


def settle_orders(book: Book, live: LiveTrade, at: datetime) -> None:
    """End the orders that can no longer fill, and the trade where nothing is left of it."""
    trade = live.trade
    if trade.leaving is not None:
        _end_orders(book, live, OrderStatus.CANCELLED, at, spare=trade.leaving.value)
    elif trade.entry_rest == 0.0 and ENTRY_LEG in live.orders:
        book.put_order(live, replace(live.orders[ENTRY_LEG], status=OrderStatus.EXPIRED, ended_at=at))
    if live.position.status is PositionStatus.CLOSED:
        book.trades.append(trade_of(live.position))
        book.end_trade(live)
    elif trade.done:
        _end_orders(book, live, OrderStatus.CANCELLED, at)
        live.position = replace(live.position, status=PositionStatus.VOID)
        book.end_trade(live)


def withdraw_buys(book: Book, live: LiveTrade, at: datetime) -> None:
    """Take a trade's waiting buys back; one that holds nothing is over."""
    live.trade.entry_rest, live.touched = 0.0, True
    for rung in live.trade.rungs:
        rung.rest = 0.0
    for order in [each for each in live.orders.values() if each.side is OrderSide.BUY]:
        book.put_order(live, replace(order, status=OrderStatus.CANCELLED, ended_at=at))
    settle_orders(book, live, at)
    if live.position.live:
        live.settle()
        live.reload()


def _order_of(book: Book, live: LiveTrade, execution: Execution, at: datetime) -> Order:
    if execution.kind is OrderKind.ENTRY:
        return live.orders[ENTRY_LEG]
    if execution.kind is OrderKind.RUNG:
        return live.orders[live.rungs[execution.rung]]
    assert execution.reason is not None  # noqa: S101 - the rules give every exit its reason
    return exit_order(book, live, execution.reason, execution.reference, at)


def exit_order(book: Book, live: LiveTrade, reason: ExitReason, reference: float, at: datetime) -> Order:
    """Return the order that closes the trade for a reason, placing it where there is none yet."""
    position = live.position
    if reason.value in live.orders:
        return live.orders[reason.value]
    level = position.target_price if reason is ExitReason.TARGET else position.stop_price
    order = Order(
        key=order_key(position, reason.value),
        kind=OrderKind.EXIT,
        side=OrderSide.SELL,
        status=OrderStatus.PENDING,
        quantity=position.quantity,
        placed_at=at,
        limit_price=level if reason is ExitReason.TARGET else None,
        reference_price=price_of(reference) if reason in AT_MARKET else level,
        signal_id=position.signal_id,
        config_hash=position.config_hash,
        rules_hash=position.rules_hash,
    )
    book.add_order(order)
    book.put_order(live, order)
    return order


def _end_orders(
    book: Book, live: LiveTrade, status: OrderStatus, at: datetime, spare: str | None = None
) -> None:
    for leg, order in list(live.orders.items()):
        if leg != spare:
            book.put_order(live, replace(order, status=status, ended_at=at))

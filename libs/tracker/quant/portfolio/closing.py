"""The end of a ledger's books and the beginning of new ones, in one moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from tracker.domain.command import Answer
from tracker.domain.money import EXACT, price_of
from tracker.domain.order import ExitReason, Order, OrderKind, OrderSide, OrderStatus
from tracker.domain.position import PositionStatus
from tracker.quant.execution import ExecutionParams
from tracker.quant.ledger import book_account, book_cash, book_order, book_position, booked, fill_of, order_key
from tracker.quant.portfolio.book import Book, LiveTrade, seconds_of
from tracker.quant.portfolio.booking import settle_orders
from tracker.quant.pricing import BPS
from tracker.quant.trade import Execution

RESET_LEG = "reset"


def close_books(book: Book, cash: Decimal, at: datetime, rules: ExecutionParams) -> Answer:
    """Sell what is held at the last closes, take every order back, and go on with `cash`.

    No bar is waited for: a symbol that is halted could keep the books open for ever. The sales cost the taker's fee
    and the base slippage, and are trades like any other.
    """
    trades = book.live
    for live in trades:
        _end(book, live, at, rules)
    left, currency = book.account.cash, book.account.currency
    amount = EXACT.subtract(cash, left)
    book.account = book_cash(book.account, amount)
    book.guard.begin_anew(seconds_of(at), float(cash))
    sold = f"{len(trades)} trades ended at their last closes, " if trades else ""
    said = f"books closed with {left:.2f} {currency}, new ones begin with {cash:f} {currency}"
    return Answer.done(sold + said, amount)


def _end(book: Book, live: LiveTrade, at: datetime, rules: ExecutionParams) -> None:
    for order in list(live.orders.values()):
        book.put_order(live, replace(order, status=OrderStatus.CANCELLED, ended_at=at))
    live.touched = True
    live.trade.leaving = ExitReason.FLATTEN
    position = live.settle()
    if position.quantity == 0:
        live.position = replace(position, status=PositionStatus.VOID)
        book.end_trade(live)
        return
    last = float(position.last_price or position.stop_price)
    order = Order(
        key=order_key(position, RESET_LEG),
        kind=OrderKind.EXIT,
        side=OrderSide.SELL,
        status=OrderStatus.PENDING,
        quantity=position.quantity,
        reference_price=price_of(last),
        note="the books are closed",
        placed_at=at,
        signal_id=position.signal_id,
        config_hash=position.config_hash,
        rules_hash=position.rules_hash,
    )
    book.add_order(order)
    sale = Execution(
        kind=OrderKind.EXIT,
        quantity=float(position.quantity),
        price=last * (1.0 - rules.slippage_base_bps * BPS),
        reference=last,
        maker=False,
        at_open=True,
        reason=ExitReason.FLATTEN,
    )
    fill = fill_of(sale, order, position.quantity_step, rules, at, at)
    live.position = book_position(position, fill)
    book.account = book_account(book.account, fill, position, live.position)
    book.put_order(live, book_order(order, fill))
    book.fills.append(booked(fill, position, live.position))
    settle_orders(book, live, at)

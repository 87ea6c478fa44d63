"""Orders that rest, and what a person may do to them: take one back, put another in its place, sell what is held.

A command acts on a trade between two of its bars: what it changes counts from the next bar on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from tracker.domain.command import Answer
from tracker.domain.errors import InputError
from tracker.domain.money import EXACT, decimal_of, price_of
from tracker.domain.order import ENTRY_LEG, ExitReason, Order, OrderKind, OrderStatus
from tracker.quant import execution
from tracker.quant.execution import ExecutionParams
from tracker.quant.ledger import order_key
from tracker.quant.paper import TradingRules
from tracker.quant.portfolio.book import Book, LiveTrade, seconds_of
from tracker.quant.portfolio.booking import exit_order, settle_orders
from tracker.quant.sizing import ROUNDING_RESERVE, reserve_price

Arguments: TypeAlias = Mapping[str, Any]

STOP, TARGET = ExitReason.STOP.value, ExitReason.TARGET.value
PRICE_LEVELS = (STOP, TARGET)


def trades_meant(book: Book, arguments: Arguments) -> list[LiveTrade]:
    """Return the live trades that a command names by `strategy`, `symbol` and `decided_at`; without any, all of them.

    Raises InputError where there is none.
    """
    wanted = {name: str(arguments[name]) for name in ("strategy", "symbol", "decided_at") if arguments.get(name)}
    found = [each for each in book.live if _named(each).items() >= wanted.items()]
    if not found:
        words = " ".join(wanted.values())
        raise InputError(f"there is no live trade of {words}" if words else "nothing is held and no order rests")
    return found


def is_between_bars(trades: list[LiveTrade], at: datetime) -> bool:
    """Return whether none of the trades' bars is open at a moment."""
    return all(seconds_of(at) % each.instrument.base_timeframe.seconds == 0 for each in trades)


def flatten(book: Book, trades: list[LiveTrade], at: datetime) -> Answer:
    """Begin to sell what is held, at the opens of the bars to come, and take back every order that rests."""
    held = [each for each in trades if each.position.quantity > 0 and each.trade.leaving in (None, ExitReason.TARGET)]
    waiting = [each for each in trades if each.position.quantity == 0]
    if not held and not waiting:
        return Answer.refused(f"{_names(trades)}: being sold at the market already")
    for live in (*held, *waiting):
        live.settle()
        execution.flatten(live.trade)
        live.touched = True
        live.settle()
        if live.position.quantity > 0:
            reference = float(live.position.last_price or live.position.stop_price)
            exit_order(book, live, ExitReason.FLATTEN, reference, at)
        settle_orders(book, live, at)
        if live.position.live:
            live.reload()
    said = [f"selling {_names(held)}"] if held else []
    return Answer.done("; ".join([*said, f"took back {_names(waiting)}"] if waiting else said))


def cancel(book: Book, live: LiveTrade, arguments: Arguments, at: datetime) -> Answer:
    """Take a resting buy back; raises InputError where there is none of that leg."""
    order = _resting(live, arguments)
    live.settle()
    _end(book, live, order, at, "cancelled on request")
    live.reload()
    settle_orders(book, live, at)
    return Answer.done(f"{_order_name(live, order)}: cancelled with {_plain(order.filled_quantity)} filled")


def change(book: Book, live: LiveTrade, arguments: Arguments, at: datetime, rules: TradingRules) -> Answer:
    """Put another order in place of a resting rung, or move the stop or the target; raises InputError where it may not.

    `price` and, for a rung, `quantity` are decimals as text; what is left out stays.
    """
    leg = str(arguments.get("leg", ""))
    if live.trade.leaving is not None:
        raise InputError(f"{_name(live)} is being left by {live.trade.leaving}: nothing of it can be replaced")
    live.settle()
    if leg in PRICE_LEVELS:
        return _move(live, leg, _price(arguments))
    return _replace(book, live, arguments, at, rules)


@dataclass(frozen=True, slots=True)
class _Room:
    """Between which prices something may be moved, exclusive, and what these are."""

    above: Decimal
    floor: str
    below: Decimal | None
    ceiling: str

    def check(self, what: str, price: Decimal) -> None:
        if price <= self.above:
            raise InputError(f"{what} = {_plain(price)} must lie above {self.floor}, {_plain(self.above)}")
        if self.below is not None and price >= self.below:
            raise InputError(f"{what} = {_plain(price)} must lie below {self.ceiling}, {_plain(self.below)}")


def _move(live: LiveTrade, leg: str, price: Decimal) -> Answer:
    """Move the stop, only up since the loss at it was approved, or the target, which then stays where it was put."""
    position, now = live.position, _price_now(live)
    if leg == STOP:
        rungs = [(each.limit_price, each.key.leg) for each in live.orders.values() if each.limit_price]
        ceiling, name = min([(now, "the last price"), *rungs])
        _Room(position.stop_price, "the stop as it is", ceiling, name).check(leg, price)
        live.position = replace(position, stop_price=price, stop_reason=ExitReason.STOP)
        was = position.stop_price
    else:
        _Room(now, "the last price", None, "").check(leg, price)
        live.position = replace(position, target_price=price, target_fraction=None)
        was = position.target_price
    live.touched = True
    live.reload()
    return Answer.done(f"{_name(live)} {leg}: {_plain(price)} instead of {_plain(was)}")


def _replace(book: Book, live: LiveTrade, arguments: Arguments, at: datetime, rules: TradingRules) -> Answer:
    order = _resting(live, arguments)
    if order.kind is OrderKind.ENTRY or order.limit_price is None:
        raise InputError(f"{_order_name(live, order)} is a market order: it can be cancelled, not replaced")
    price = _price(arguments) if arguments.get("price") is not None else order.limit_price
    quantity = _quantity(live, arguments) if arguments.get("quantity") is not None else order.rest
    _check_rung(live, price)
    notional = EXACT.multiply(price, quantity)
    if notional < live.instrument.min_notional:
        least = _plain(live.instrument.min_notional)
        raise InputError(f"{_plain(quantity)} at {_plain(price)} is worth {_plain(notional)}, less than {least}")
    _check_cash(book, order, price, quantity, rules.paper.execution)
    more = float(EXACT.subtract(notional, EXACT.multiply(order.limit_price, order.rest)))
    if more > 0.0:
        _check_limits(book, live, more, at, rules)
    leg = _successor(order.key.leg)
    successor = replace(
        order,
        key=order_key(live.position, leg),
        status=OrderStatus.PENDING,
        quantity=quantity,
        filled_quantity=Decimal(0),
        limit_price=price,
        reference_price=price,
        placed_at=at,
        note=f"replaces {order.key.leg} on request",
    )
    _end(book, live, order, at, f"replaced by {leg}")
    book.add_order(successor)
    book.put_order(live, successor)
    live.reload()
    return Answer.done(
        f"{_order_name(live, order)}: replaced by {leg}, {_plain(quantity)} at {_plain(price)}"
        f" instead of {_plain(order.rest)} at {_plain(order.limit_price)}"
    )


def _check_rung(live: LiveTrade, price: Decimal) -> None:
    position = live.position
    entry = live.orders.get(ENTRY_LEG)
    bought = position.bought_quantity
    ceilings = [(_price_now(live), "the last price")]
    if bought:
        ceilings.append((price_of(float(EXACT.divide(position.bought_cost, bought))), "the average entry"))
    elif entry is not None:
        ceilings.append((entry.reference_price, "the entry"))
    below, name = min(ceilings)
    _Room(position.stop_price, "the stop", below, name).check("price", price)


def _check_cash(book: Book, order: Order, price: Decimal, quantity: Decimal, rules: ExecutionParams) -> None:
    def reserve(price: Decimal, quantity: Decimal) -> float:
        return reserve_price(float(price), rules, maker=True) * float(quantity)

    more = reserve(price, quantity) - reserve(order.reference_price, order.rest)
    free = book.free_cash(rules)
    if more > 0 and more > free - ROUNDING_RESERVE:
        raise InputError(f"it ties up {more:.2f} more, and {free:.2f} is free")


def _check_limits(book: Book, live: LiveTrade, more: float, at: datetime, rules: TradingRules) -> None:
    """Hold what would cost more than before to what a new trade is held to; all trades count as one cluster."""
    symbol_id = live.position.symbol_id
    locked = book.guard.refusal(symbol_id, seconds_of(at), live.position.strategy)
    if locked is not None:
        raise InputError(f"it costs {more:.2f} more, and nothing may be bought: {locked.note}")
    limits, equity = rules.risk.limits, book.worth()
    gross = sum(each.exposure() for each in book.live)
    symbol = sum(each.exposure() for each in book.live if each.position.symbol_id == symbol_id)
    for whose, used, limit in (
        ("the trade", live.exposure(), rules.risk.sizing.max_position_share),
        ("the symbol", symbol, limits.max_symbol_exposure),
        ("all trades", gross, limits.max_gross_exposure),
        ("what may move together", gross, limits.max_cluster_exposure),
    ):
        if limit is not None and used + more > limit * equity:
            raise InputError(f"exposure of {whose} would be {used + more:.2f}, and {limit * equity:.2f} is the most")


def _resting(live: LiveTrade, arguments: Arguments) -> Order:
    leg = str(arguments.get("leg", ""))
    if live.trade.leaving is not None:
        raise InputError(f"{_name(live)} is being left by {live.trade.leaving}: a sale that has begun goes on")
    order = live.orders.get(leg)
    if order is None:
        there = ", ".join(sorted(live.orders)) or "none"
        raise InputError(f"{_name(live)} has no resting order {leg!r}; its resting orders: {there}")
    return order


def _end(book: Book, live: LiveTrade, order: Order, at: datetime, why: str) -> None:
    note = f"{order.note}; {why}" if order.note else why
    book.put_order(live, replace(order, status=OrderStatus.CANCELLED, ended_at=at, note=note))
    live.touched = True


def _successor(leg: str) -> str:
    """Return the leg of the order that replaces another: rung2, rung2.1, rung2.2.."""
    name, _, number = leg.partition(".")
    return f"{name}.{int(number or 0) + 1}"


def _price_now(live: LiveTrade) -> Decimal:
    """Return the last close, or before the first bar the one that decided."""
    entry = live.orders.get(ENTRY_LEG)
    last = live.position.last_price
    return last if last is not None else entry.reference_price if entry is not None else live.position.stop_price


def _price(arguments: Arguments) -> Decimal:
    price = _number(arguments, "price")
    if price != price_of(float(price)):
        raise InputError(f"price = {arguments['price']} has more than 12 digits")
    return decimal_of(float(price))


def _quantity(live: LiveTrade, arguments: Arguments) -> Decimal:
    quantity, step = _number(arguments, "quantity"), live.position.quantity_step
    if EXACT.remainder(quantity, step):
        raise InputError(f"quantity = {arguments['quantity']} is not a multiple of {_plain(step)}")
    return quantity


def _number(arguments: Arguments, name: str) -> Decimal:
    value = arguments.get(name)
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise InputError(f"{name} = {value!r} is not a number") from None
    if not number.is_finite() or not 0 < number < Decimal(10) ** 15:
        raise InputError(f"{name} = {value} is not a number above 0")
    return number


def _named(live: LiveTrade) -> dict[str, str]:
    position = live.position
    return {
        "strategy": position.strategy.value,
        "symbol": live.instrument.symbol,
        "decided_at": position.decided_at.isoformat(),
    }


def _name(live: LiveTrade) -> str:
    return f"{live.position.strategy.value} {live.instrument.symbol}"


def _order_name(live: LiveTrade, order: Order) -> str:
    return f"{_name(live)} {order.key.leg}"


def _names(trades: list[LiveTrade]) -> str:
    return ", ".join(_name(each) for each in trades)


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


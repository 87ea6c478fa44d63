"""What a command does to a book, between one minute and the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any, TypeAlias

from tracker.domain.command import Answer, Command, CommandKind
from tracker.domain.errors import InputError
from tracker.domain.money import EXACT, FEE_STEP, decimal_of
from tracker.domain.signal import Strategy
from tracker.quant.paper import TradingRules
from tracker.quant.portfolio.book import Book, LiveTrade, seconds_of
from tracker.quant.portfolio.booking import withdraw_buys
from tracker.quant.portfolio.closing import close_books
from tracker.quant.portfolio.resting import cancel, change, flatten, is_between_bars, trades_meant

Carrier: TypeAlias = Callable[[Book, Command, datetime, TradingRules], Answer | None]

CENT = Decimal("0.01")
# Minutes: ten years, which is until somebody resumes.
LONGEST_HALT = 5_256_000
# More than any account holds, and few enough digits that every sum stays exact.
LARGEST_AMOUNT = Decimal(10) ** 15


def carry_out(book: Book, command: Command, at: datetime, rules: TradingRules) -> Answer | None:
    """Do what is asked at event time `at`, after everything up to it; the book changes only where it is done.

    None: a bar of a trade that is meant is open, ask again at its close.
    """
    carrier = CARRIERS.get(command.kind)
    if carrier is None:
        return Answer.refused(f"account {book.account.account!r} is open and cannot be told to {command.kind}")
    try:
        return carrier(book, command, at, rules)
    except InputError as error:
        return Answer.refused(str(error))


def amount_of(arguments: Mapping[str, Any], name: str = "amount") -> Decimal:
    """Return an amount of money; raises InputError where it is not a number above 0 with at most 8 decimals."""
    value = arguments.get(name)
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise InputError(f"{name} = {value!r} is not a number") from None
    if not amount.is_finite() or not 0 < amount < LARGEST_AMOUNT:
        raise InputError(f"{name} = {value} is not above 0 and below {LARGEST_AMOUNT:,}")
    if amount != amount.quantize(FEE_STEP, context=EXACT):
        raise InputError(f"{name} = {value} has more than 8 decimals")
    return amount


def _deposit(book: Book, command: Command, at: datetime, rules: TradingRules) -> Answer:
    amount = amount_of(command.arguments)
    book.move_cash(amount)
    return Answer.done(f"{amount:f} {book.account.currency} came in", amount)


def _withdraw(book: Book, command: Command, at: datetime, rules: TradingRules) -> Answer:
    amount, free = amount_of(command.arguments), decimal_of(book.free_cash(rules.paper.execution))
    currency = book.account.currency
    if amount > free:
        shown = free.quantize(CENT, rounding=ROUND_FLOOR, context=EXACT)
        return Answer.refused(f"{amount:f} {currency} is more than the free cash, {shown} {currency}")
    book.move_cash(-amount)
    return Answer.done(f"{amount:f} {currency} went out", -amount)


def _halt(book: Book, command: Command, at: datetime, rules: TradingRules) -> Answer:
    minutes = _minutes_of(command.arguments)
    until = at + timedelta(minutes=minutes)
    book.guard.halt(seconds_of(at), seconds_of(until))
    for live in book.live:
        withdraw_buys(book, live, at)
    return Answer.done(f"nothing is bought until {until.isoformat()}; waiting buys are taken back, exits go on")


def _resume(book: Book, command: Command, at: datetime, rules: TradingRules) -> Answer:
    ended = book.guard.resume(seconds_of(at))
    if not ended:
        return Answer.refused("nothing holds new trades back")
    return Answer.done("ended " + ", ".join(sorted({each.value for each in ended})))


def _pause(book: Book, command: Command, at: datetime, rules: TradingRules) -> Answer:
    strategy, minutes = _strategy_of(command.arguments), _minutes_of(command.arguments)
    until = at + timedelta(minutes=minutes)
    who = f"paused by {command.requested_by or 'somebody'}"
    note = f"{who}: {command.reason}" if command.reason else who
    book.guard.pause(strategy, seconds_of(at), seconds_of(until), note)
    for live in book.live:
        if live.position.strategy == strategy:
            withdraw_buys(book, live, at)
    return Answer.done(
        f"{strategy} buys nothing until {until.isoformat()}; its waiting buys are taken back, its exits go on"
    )


def _unpause(book: Book, command: Command, at: datetime, rules: TradingRules) -> Answer:
    strategy = _strategy_of(command.arguments)
    if not book.guard.unpause(strategy, seconds_of(at)):
        return Answer.refused(f"{strategy} is not paused")
    return Answer.done(f"{strategy} may buy again")


def _strategy_of(arguments: Mapping[str, Any]) -> Strategy:
    name = arguments.get("strategy")
    if not name or not isinstance(name, str):
        raise InputError("strategy is missing")
    try:
        return Strategy(name)
    except ValueError as error:
        raise InputError(f"strategy = {error}") from None


def _minutes_of(arguments: Mapping[str, Any]) -> int:
    value = arguments.get("minutes", LONGEST_HALT)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= LONGEST_HALT:
        raise InputError(f"minutes = {value!r} is not a whole number from 1 to {LONGEST_HALT:,}")
    return value


def _flatten(book: Book, command: Command, at: datetime, rules: TradingRules) -> Answer | None:
    trades = trades_meant(book, command.arguments)
    return flatten(book, trades, at) if is_between_bars(trades, at) else None


def _cancel(book: Book, command: Command, at: datetime, rules: TradingRules) -> Answer | None:
    live = _trade_meant(book, command.arguments)
    return cancel(book, live, command.arguments, at) if is_between_bars([live], at) else None


def _replace(book: Book, command: Command, at: datetime, rules: TradingRules) -> Answer | None:
    live = _trade_meant(book, command.arguments)
    return change(book, live, command.arguments, at, rules) if is_between_bars([live], at) else None


def _trade_meant(book: Book, arguments: Mapping[str, Any]) -> LiveTrade:
    for name in ("strategy", "symbol", "leg"):
        if not arguments.get(name):
            raise InputError(f"{name} is missing")
    return trades_meant(book, arguments)[0]


def _reset(book: Book, command: Command, at: datetime, rules: TradingRules) -> Answer | None:
    asked = command.arguments.get("cash")
    cash = book.account.start_cash if asked is None else amount_of(command.arguments, "cash")
    return close_books(book, cash, at, rules.paper.execution) if is_between_bars(book.live, at) else None


CARRIERS: Mapping[CommandKind, Carrier] = {
    CommandKind.DEPOSIT: _deposit,
    CommandKind.WITHDRAW: _withdraw,
    CommandKind.HALT: _halt,
    CommandKind.RESUME: _resume,
    CommandKind.PAUSE: _pause,
    CommandKind.UNPAUSE: _unpause,
    CommandKind.RESET: _reset,
    CommandKind.FLATTEN: _flatten,
    CommandKind.CANCEL: _cancel,
    CommandKind.REPLACE: _replace,
}

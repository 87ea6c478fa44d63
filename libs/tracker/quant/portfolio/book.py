"""The open part of the ledger in memory, for the length of one transaction."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from tracker.domain.account import Account, EquityPoint
from tracker.domain.fill import Fill
from tracker.domain.instrument import Instrument
from tracker.domain.ledger import LedgerChanges
from tracker.domain.money import decimal_of
from tracker.domain.order import ENTRY_LEG, Order, OrderKey, OrderKind, OrderSide
from tracker.domain.position import Position, PositionStatus
from tracker.domain.timeframe import EPOCH
from tracker.domain.trade import ClosedTrade
from tracker.quant.execution import ExecutionParams
from tracker.quant.ledger import book_cash, mark
from tracker.quant.portfolio.guard import AccountGuard, Memory
from tracker.quant.sizing import reserve_price
from tracker.quant.trade import Rung, Trade

SECOND = timedelta(seconds=1)


def seconds_of(moment: datetime) -> int:
    """Return a moment in Unix seconds."""
    return (moment - EPOCH) // SECOND


def moment_of(seconds: int) -> datetime:
    """Return the moment of Unix seconds."""
    return EPOCH + seconds * SECOND


@dataclass(slots=True, kw_only=True)
class LiveTrade:
    """A trade in work: the ledger's rows and the floats that the rules read.

    `rungs` names the legs of `trade.rungs`, in the same order; `last` is the last close, which was at `last_at` (Unix
    seconds).
    """

    position: Position
    instrument: Instrument
    orders: dict[str, Order]
    trade: Trade = field(init=False)
    rungs: list[str] = field(init=False)
    last: float | None = field(init=False)
    last_at: int = field(init=False)
    touched: bool = False

    def __post_init__(self) -> None:
        """Work out the floats."""
        last = self.position.last_price
        self.last = None if last is None else float(last)
        self.last_at = 0 if self.position.last_bar_at is None else seconds_of(self.position.last_bar_at)
        self.reload()

    @property
    def sort_key(self) -> tuple[str, str]:
        """Place in the order in which trades are worked on."""
        return self.instrument.symbol, self.position.strategy.value

    def reload(self) -> None:
        """Work out the floats again from the ledger's rows."""
        ladder = sorted(
            (order for order in self.orders.values() if order.kind is OrderKind.RUNG),
            key=lambda order: (-(order.limit_price or 0), order.key.leg),
        )
        self.rungs = [order.key.leg for order in ladder]
        self.trade = _working(self.position, self.orders.get(ENTRY_LEG), ladder)

    def see(self, close: float, at: int) -> None:
        """Take in the close of a bar, at a moment in Unix seconds."""
        self.last, self.last_at, self.touched = close, at, True

    def settle(self) -> Position:
        """Take what the rules changed over into the ledger's row and return it."""
        trade = self.trade
        self.position = replace(
            self.position,
            stop_price=decimal_of(trade.stop),
            target_price=decimal_of(trade.target),
            stop_reason=trade.stop_reason,
            leaving=trade.leaving,
            highest_price=decimal_of(trade.highest) if math.isfinite(trade.highest) else None,
            lowest_price=decimal_of(trade.lowest) if math.isfinite(trade.lowest) else None,
            last_price=None if self.last is None else decimal_of(self.last),
            last_bar_at=None if self.last is None or not self.last_at else moment_of(self.last_at),
        )
        return self.position

    def exposure(self) -> float:
        """Return what is held at the last close and what the waiting buys would cost, without fees."""
        waiting = sum(
            float(order.reference_price) * float(order.rest)
            for order in self.orders.values()
            if order.side is OrderSide.BUY
        )
        return self.trade.held * (self.last or 0.0) + waiting

    def reserved(self, rules: ExecutionParams) -> float:
        """Return the cash that the waiting buys tie up."""
        return sum(
            reserve_price(float(order.reference_price), rules, maker=order.kind is OrderKind.RUNG)
            * float(order.rest)
            for order in self.orders.values()
            if order.side is OrderSide.BUY
        )


class Book:
    """Account, live trades and everything that has changed since they were read."""

    def __init__(
        self,
        account: Account,
        positions: Iterable[Position],
        orders: Iterable[Order],
        instruments: Iterable[Instrument],
        memory: Memory | None = None,
    ) -> None:
        """Bring what was read together; without a memory the account has none yet."""
        self.account = account
        self.instruments = {each.symbol_id: each for each in instruments}
        by_trade: dict[tuple[object, ...], dict[str, Order]] = {}
        for order in orders:
            by_trade.setdefault(_trade_of(order.key), {})[order.key.leg] = order
        self._live = [
            LiveTrade(
                position=each,
                instrument=self.instruments[each.symbol_id],
                orders=by_trade.get((each.account, each.strategy, each.symbol_id, each.decided_at), {}),
            )
            for each in positions
        ]
        self._live.sort(key=lambda each: each.sort_key)
        self.guard = AccountGuard(
            account.account, self.instruments, self.worth(), memory or Memory(), len(self._live), account.opened_at
        )
        self._new_orders: dict[OrderKey, Order] = {}
        self._changed_orders: dict[OrderKey, Order] = {}
        self._new_trades: list[LiveTrade] = []
        self._ended: list[LiveTrade] = []
        self.fills: list[Fill] = []
        self.trades: list[ClosedTrade] = []
        self.equity: list[EquityPoint] = []

    def free_cash(self, rules: ExecutionParams) -> float:
        """Return the cash that no waiting buy has a claim on."""
        return float(self.account.cash) - sum(each.reserved(rules) for each in self._live)

    @property
    def live(self) -> list[LiveTrade]:
        """Live trades by symbol and strategy; a copy, so that trades may end while it is walked."""
        return list(self._live)

    def add_order(self, order: Order) -> None:
        """Take in an order that is not in the database yet."""
        self._new_orders[order.key] = order

    def put_order(self, live: LiveTrade, order: Order) -> None:
        """Take in a new state of a trade's order; one that has ended leaves the trade."""
        (self._new_orders if order.key in self._new_orders else self._changed_orders)[order.key] = order
        if order.status.live:
            live.orders[order.key.leg] = order
        else:
            live.orders.pop(order.key.leg, None)

    def add_trade(self, live: LiveTrade) -> None:
        """Take in a trade that is not in the database yet, with its orders."""
        for order in live.orders.values():
            self.add_order(order)
        self.guard.expect()
        self._new_trades.append(live)
        self._live.append(live)
        self._live.sort(key=lambda each: each.sort_key)

    def end_trade(self, live: LiveTrade) -> None:
        """Take a trade that is over out of the live ones."""
        self._live.remove(live)
        self._ended.append(live)

    def move_cash(self, amount: Decimal) -> None:
        """Take in money that came, or went out below 0, and is neither profit nor loss."""
        before = self.worth()
        self.account = book_cash(self.account, amount)
        self.guard.cash_moved(before, self.worth())

    def worth(self) -> float:
        """Return what the account is worth at the last closes."""
        return float(self.account.cash) + sum(each.trade.held * (each.last or 0.0) for each in self._live)

    def value(self, ts: datetime) -> EquityPoint:
        """Value the account at the last closes."""
        return mark(self.account, (each.settle() for each in self._live), ts)

    def changes(self) -> LedgerChanges:
        """Return everything that has changed."""
        new = {id(each) for each in self._new_trades}
        old = [each for each in (*self._ended, *self._live) if id(each) not in new and each.touched]
        return LedgerChanges(
            account=self.account,
            new_orders=list(self._new_orders.values()),
            changed_orders=list(self._changed_orders.values()),
            new_positions=[each.settle() for each in self._new_trades],
            changed_positions=[each.settle() for each in old],
            fills=self.fills,
            trades=self.trades,
            equity=self.equity,
            locks=self.guard.locks,
            marks=self.guard.marks() if self.guard.changed else None,
        )


def _working(position: Position, entry: Order | None, ladder: list[Order]) -> Trade:
    held = position.status is PositionStatus.OPEN
    return Trade(
        step=float(position.quantity_step),
        opens_from=seconds_of(position.decided_at),
        entry_until=seconds_of(position.entry_until),
        expires_at=seconds_of(position.expires_at),
        entry_rest=0.0 if entry is None else float(entry.rest),
        stop=float(position.stop_price),
        stop_reason=position.stop_reason,
        target=float(position.target_price),
        target_fraction=position.target_fraction,
        trail_distance=float(position.trail_distance),
        break_even_distance=float(position.break_even_distance),
        break_even_cost=position.break_even_cost,
        rungs=[Rung(float(order.limit_price or 0), float(order.rest)) for order in ladder],
        held=float(position.quantity) if held else 0.0,
        bought=float(position.bought_quantity),
        cost=float(position.bought_cost),
        highest=-math.inf if position.highest_price is None else float(position.highest_price),
        lowest=math.inf if position.lowest_price is None else float(position.lowest_price),
        leaving=position.leaving,
    )


def _trade_of(key: OrderKey) -> tuple[object, ...]:
    return key.account, key.strategy, key.symbol_id, key.decided_at

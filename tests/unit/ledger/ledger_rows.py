"""The rows of a ledger as a database would hold them, and a book made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import Any, TypeVar

from tracker.domain.account import Account
from tracker.domain.fill import Fill
from tracker.domain.instrument import Instrument
from tracker.domain.ledger import LedgerChanges
from tracker.domain.order import Order, OrderKey
from tracker.domain.position import Position
from tracker.domain.risk import ProtectionLock, RiskMarks
from tracker.domain.trade import ClosedTrade
from tracker.quant.portfolio.book import Book
from tracker.quant.portfolio.guard import Memory

T = TypeVar("T")
Key = tuple[str, str, int, Any]


@dataclass(slots=True)
class Rows:
    """Tables by their natural keys; what is written comes back as new objects."""

    account: Account
    instruments: list[Instrument]
    positions: dict[Any, Position] = field(default_factory=dict[Any, Position])
    orders: dict[OrderKey, Order] = field(default_factory=dict[OrderKey, Order])
    fills: dict[Any, Fill] = field(default_factory=dict[Any, Fill])
    trades: dict[Any, ClosedTrade] = field(default_factory=dict[Any, ClosedTrade])
    locks: dict[Any, ProtectionLock] = field(default_factory=dict[Any, ProtectionLock])
    marks: RiskMarks | None = None

    def write(self, changes: LedgerChanges) -> None:
        """Take changes in; what is new must be new, what has changed must be there."""
        self.account = changes.account
        for position in changes.new_positions:
            assert _trade(position) not in self.positions
            self.positions[_trade(position)] = _stored(position)
        for position in changes.changed_positions:
            assert self.positions[_trade(position)].live
            self.positions[_trade(position)] = _stored(position)
        for order in changes.new_orders:
            assert order.key not in self.orders
            self.orders[order.key] = _stored(order)
        for order in changes.changed_orders:
            assert self.orders[order.key].status.live
            self.orders[order.key] = _stored(order)
        for fill in changes.fills:
            assert (fill.order, fill.bar_ts) not in self.fills
            self.fills[fill.order, fill.bar_ts] = fill
        for trade in changes.trades:
            assert _trade(trade) not in self.trades
            self.trades[_trade(trade)] = trade
        self.locks |= {(each.protection, each.symbol_id, each.locked_at): each for each in changes.locks}
        self.marks = changes.marks or self.marks

    def book(self) -> Book:
        """Return the book that a process makes of the rows after its start."""
        return Book(
            self.account,
            _shuffled(each for each in self.positions.values() if each.live),
            _shuffled(each for each in self.orders.values() if each.status.live),
            self.instruments,
            Memory(
                marks=self.marks,
                locks=sorted(self.locks.values(), key=lambda each: each.locked_at),
                trades=list(self.trades.values()),
            ),
        )


def _trade(row: Position | ClosedTrade) -> Any:
    return row.strategy, row.symbol_id, row.decided_at


def _stored(row: T) -> T:
    """Return a row as it comes back: money as text and back."""
    changed: dict[str, Any] = {}
    for each in fields(row):  # type: ignore[arg-type]
        value = getattr(row, each.name)
        if isinstance(value, Decimal):
            changed[each.name] = Decimal(str(value))
    return replace(row, **changed)  # type: ignore[type-var]


def _shuffled(rows: Iterable[T]) -> list[T]:
    """Return rows in an order of no meaning, as a table gives them."""
    return sorted(rows, key=lambda each: hash(repr(each)) % 997)

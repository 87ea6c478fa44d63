"""What a ledger stands at, such that it could be gone on from; kept as plain values."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from tracker.domain.account import Account
from tracker.domain.order import Order, OrderKey
from tracker.domain.position import Position
from tracker.quant.portfolio.guard import Memory
from tracker.runtime.account_memory import read_memory
from tracker.runtime.accounts import AccountRules
from tracker.store.commands import read_events
from tracker.store.database import Transaction
from tracker.store.ledger import read_account, read_live_orders, read_live_positions
from tracker.store.parity import read_fills, read_ledger_span, read_orders

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class FillKey:
    """Which fill."""

    order: OrderKey
    bar_ts: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """A ledger at event time `at`, kept by the rules of `rules_hash` until then.

    `ended` and `fills` are those of the live trades that were there already; `events` is how often it had been told
    something.
    """

    at: datetime
    rules_hash: str
    account: Account
    positions: Sequence[Position]
    orders: Sequence[Order]
    memory: Memory
    ended: Sequence[OrderKey]
    fills: Sequence[FillKey]
    events: int

    def concerns(self, key: OrderKey) -> bool:
        """Tell whether an order is of a trade that was live then, or was decided on later."""
        trade = (key.strategy, key.symbol_id, key.decided_at)
        live = {(each.strategy, each.symbol_id, each.decided_at) for each in self.positions}
        return key.decided_at > self.at or trade in live

    @property
    def since(self) -> datetime:
        """When the oldest trade that it concerns was decided on, or this moment."""
        return min((each.decided_at for each in self.positions), default=self.at)


async def read_ledger_state(transaction: Transaction, account: AccountRules) -> LedgerState | None:
    """Return what a ledger stands at; None where it was never begun. `transaction` has to see one moment."""
    name = account.name
    kept, row = await read_ledger_span(transaction, name), await read_account(transaction, name)
    if kept is None or row is None:
        return None
    positions = await read_live_positions(transaction, name)
    live = {(each.strategy, each.symbol_id, each.decided_at) for each in positions}
    since = min((each.decided_at for each in positions), default=kept[1])
    known = await read_orders(transaction, name, since)
    fills = await read_fills(transaction, name, since)
    return LedgerState(
        at=kept[1],
        rules_hash=account.hash,
        account=row,
        positions=positions,
        orders=await read_live_orders(transaction, name),
        memory=await read_memory(transaction, name, kept[1], account.rules.risk),
        ended=[
            key
            for key, each in known.items()
            if not each.status.live and (key.strategy, key.symbol_id, key.decided_at) in live
        ],
        fills=[
            FillKey(order=key, bar_ts=bar_ts)
            for key, bar_ts in fills
            if (key.strategy, key.symbol_id, key.decided_at) in live
        ],
        events=len(await read_events(transaction, name)),
    )


def plain_state(value: Any) -> Any:
    """Return a value made of dataclasses, decimals, moments and words as JSON can hold it, exactly."""
    if is_dataclass(value):
        return {each.name: plain_state(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Sequence):
        return [plain_state(each) for each in cast("Sequence[Any]", value)]
    return value


def restored(kind: type[T], plain: Any) -> T:
    """Return what `plain_state` was made of; raises KeyError, TypeError or ValueError where it is of another shape."""
    return _of(kind, plain)


def _of(kind: Any, plain: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        inner = next(each for each in get_args(kind) if each is not type(None))
        return None if plain is None else _of(inner, plain)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        facts: Mapping[str, Any] = plain
        if facts.keys() - hints.keys():
            raise KeyError(f"{kind}: {sorted(facts.keys() - hints.keys())}")
        return cast("Any", kind)(**{each.name: _of(hints[each.name], facts[each.name]) for each in fields(kind)})
    if origin is not None and issubclass(origin, Sequence):
        return tuple(_of(get_args(kind)[0], each) for each in plain)
    if kind is datetime:
        return datetime.fromisoformat(plain)
    return kind(plain)

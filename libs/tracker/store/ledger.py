"""The rows of the paper ledger: accounts, orders, fills, positions, trades, equity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from tracker.domain.account import Account, EquityPoint
from tracker.domain.fill import Fill
from tracker.domain.ledger import LedgerChanges
from tracker.domain.order import ExitReason, Order, OrderKey, OrderKind, OrderSide, OrderStatus, RefusalReason
from tracker.domain.position import Position, PositionStatus
from tracker.domain.signal import Side, Strategy
from tracker.domain.trade import ClosedTrade
from tracker.store.database import Row, Transaction
from tracker.store.risk import write_risk


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRules:
    """The rules of an account as its row holds them, None before they were kept; `rules` as tables of a file."""

    from_file: bool
    rules: Mapping[str, Any] | None
    rules_from: Mapping[str, str]
    rules_hash: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """An account's name, its rules, and how far its ledger has come."""

    account: str
    kept: KeptRules
    started_at: datetime
    processed_through: datetime


async def read_accounts(transaction: Transaction) -> list[AccountRow]:
    """Return all accounts, by name."""
    return [
        AccountRow(
            account=row["account"],
            kept=KeptRules(
                from_file=row["from_file"],
                rules=None if row["rules"] is None else orjson.loads(row["rules"]),
                rules_from=orjson.loads(row["rules_from"] or "{}"),
                rules_hash=row["rules_hash"],
            ),
            started_at=row["started_at"],
            processed_through=row["processed_through"],
        )
        for row in await transaction.fetch("ledger.accounts")
    ]


async def lock_accounts(transaction: Transaction) -> None:
    """Let nobody else open an account until the transaction ends."""
    await transaction.execute("ledger.lock_accounts")


async def open_account(
    transaction: Transaction, account: str, currency: str, start_cash: Decimal, opened_at: datetime, kept: KeptRules
) -> None:
    """Begin a ledger; one that exists is left alone."""
    await transaction.execute(
        "ledger.open_account", account, currency, start_cash, opened_at, *_kept_row(kept)
    )


async def keep_rules(transaction: Transaction, account: str, kept: KeptRules) -> None:
    """Keep a copy of the rules that an account goes by from now on."""
    await transaction.execute("ledger.keep_rules", account, *_kept_row(kept))


async def read_account(transaction: Transaction, account: str) -> Account | None:
    """Return an account, or None where it was never opened."""
    row = await transaction.fetch_row("ledger.account", account)
    return None if row is None else Account(**dict(row))


async def read_live_positions(transaction: Transaction, account: str) -> list[Position]:
    """Return the trades that may still change, in no particular order."""
    return [_position(row) for row in await transaction.fetch("ledger.live_positions", account)]


async def read_live_orders(transaction: Transaction, account: str) -> list[Order]:
    """Return the orders that may still be filled, in no particular order."""
    return [order_of(row) for row in await transaction.fetch("ledger.live_orders", account)]


async def write_changes(transaction: Transaction, changes: LedgerChanges) -> None:
    """Write a transaction's changes; a row that is already there raises asyncpg's UniqueViolationError."""
    account = changes.account
    await transaction.execute(
        "ledger.update_account", account.account, account.cash, account.realised_pnl, account.fees
    )
    # Ended trades leave the index of live ones before new ones enter it.
    await _many(
        transaction,
        "update_position",
        [(*_trade_key(each), *_position_state(each)) for each in changes.changed_positions],
    )
    await _many(
        transaction,
        "insert_position",
        [
            (*_trade_key(each), *_position_facts(each), *_position_state(each))
            for each in changes.new_positions
        ],
    )
    await _many(
        transaction,
        "update_order",
        [
            (*_order_key(each.key), each.status.value, each.filled_quantity, each.ended_at, each.note)
            for each in changes.changed_orders
        ],
    )
    await _many(transaction, "insert_order", [_order_row(each) for each in changes.new_orders])
    await _many(transaction, "insert_fill", [_fill_row(each) for each in changes.fills])
    await _many(transaction, "insert_trade", [_trade_row(each) for each in changes.trades])
    await _many(transaction, "insert_equity", [_equity_row(each) for each in changes.equity])
    await write_risk(transaction, changes.locks, changes.marks)


async def _many(transaction: Transaction, query: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        await transaction.execute_many(f"ledger.{query}", rows)


def _kept_row(kept: KeptRules) -> tuple[object, ...]:
    return (
        "file" if kept.from_file else "command",
        None if kept.rules is None else orjson.dumps(kept.rules).decode(),
        orjson.dumps(kept.rules_from).decode(),
        kept.rules_hash,
    )


def _trade_key(position: Position) -> tuple[object, ...]:
    return position.account, position.strategy.value, position.symbol_id, position.decided_at


def _order_key(key: OrderKey) -> tuple[object, ...]:
    return key.account, key.strategy.value, key.symbol_id, key.decided_at, key.leg


def _position_facts(each: Position) -> tuple[object, ...]:
    return (
        each.signal_id,
        each.config_hash,
        each.rules_hash,
        each.side.value,
        each.quantity_step,
        each.initial_stop_price,
        each.trail_distance,
        each.break_even_distance,
        each.break_even_cost,
        each.expires_at,
        each.entry_until,
    )


def _position_state(each: Position) -> tuple[object, ...]:
    return (
        each.status.value,
        each.quantity,
        each.cost,
        each.bought_quantity,
        each.bought_cost,
        each.proceeds,
        each.realised_pnl,
        each.fees,
        each.stop_price,
        each.stop_reason.value,
        each.target_price,
        each.target_fraction,
        each.highest_price,
        each.lowest_price,
        each.last_price,
        each.last_bar_at,
        each.leaving,
        each.opened_at,
        each.closed_at,
    )


def _order_row(each: Order) -> tuple[object, ...]:
    return (
        *_order_key(each.key),
        each.kind.value,
        each.side.value,
        each.status.value,
        each.reason,
        each.note,
        each.quantity,
        each.filled_quantity,
        each.limit_price,
        each.reference_price,
        each.placed_at,
        each.ended_at,
        each.signal_id,
        each.config_hash,
        each.rules_hash,
    )


def _fill_row(each: Fill) -> tuple[object, ...]:
    return (
        *_order_key(each.order),
        each.bar_ts,
        each.filled_at,
        each.side.value,
        each.quantity,
        each.price,
        each.reference_price,
        each.fee,
        each.liquidity.value,
        each.cost,
        each.realised_pnl,
    )


def _trade_row(each: ClosedTrade) -> tuple[object, ...]:
    return (
        each.account,
        each.strategy.value,
        each.symbol_id,
        each.decided_at,
        each.signal_id,
        each.config_hash,
        each.rules_hash,
        each.side.value,
        each.entry_time,
        each.exit_time,
        each.entry_price,
        each.exit_price,
        each.quantity,
        each.gross_pnl,
        each.fees,
        each.pnl,
        each.stop_loss_price,
        each.take_profit_price,
        each.exit_reason.value,
        each.mae,
        each.mfe,
    )


def _equity_row(each: EquityPoint) -> tuple[object, ...]:
    return (
        each.account,
        each.ts,
        each.cash,
        each.positions_value,
        each.equity,
        each.realised_pnl,
        each.unrealised_pnl,
        each.fees,
        each.open_positions,
    )


def order_of(row: Row) -> Order:
    """Return an order out of its row."""
    facts = dict(row)
    key = OrderKey(
        account=facts.pop("account"),
        strategy=Strategy(facts.pop("strategy")),
        symbol_id=facts.pop("symbol_id"),
        decided_at=facts.pop("decided_at"),
        leg=facts.pop("leg"),
    )
    reason = facts.pop("reason")
    return Order(
        key=key,
        kind=OrderKind(facts.pop("kind")),
        side=OrderSide(facts.pop("side")),
        status=OrderStatus(facts.pop("status")),
        reason=None if reason is None else RefusalReason(reason),
        **facts,
    )


def _position(row: Row) -> Position:
    facts = dict(row)
    leaving = facts.pop("leaving")
    return Position(
        strategy=Strategy(facts.pop("strategy")),
        side=Side(facts.pop("side")),
        status=PositionStatus(facts.pop("status")),
        leaving=None if leaving is None else ExitReason(leaving),
        stop_reason=ExitReason(facts.pop("stop_reason")),
        **facts,
    )

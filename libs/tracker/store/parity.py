"""What the fleet decided and booked, as a check of it reads them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tracker.domain.fill import Fill, Liquidity
from tracker.domain.order import ExitReason, Order, OrderKey, OrderSide
from tracker.domain.signal import Side, Strategy
from tracker.domain.timeframe import EPOCH
from tracker.domain.trade import ClosedTrade
from tracker.store.database import Row, Transaction
from tracker.store.ledger import order_of


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLook:
    """What a scanner said of a symbol at a close, `decided_at` in Unix seconds; `strength` as a float32 holds it.

    `confidence`, `model_id` and `threshold` are None where no model was asked.
    """

    symbol_id: int
    decided_at: int
    decision: str
    reason: str
    regime: str
    volatility: str
    strength: float
    confirmations: int | None
    config_hash: str
    confidence: float | None
    model_id: int | None
    threshold: float | None


async def read_looks(
    transaction: Transaction, strategy: Strategy, after: datetime, through: datetime
) -> dict[tuple[int, int], StoredLook]:
    """Return the looks decided in (after, through], by symbol id and close."""
    rows = await transaction.fetch("parity.looks", strategy, after, through)
    return {(row["symbol_id"], row["decided_at"]): StoredLook(**dict(row)) for row in rows}


async def read_first_look(transaction: Transaction, strategy: Strategy) -> datetime | None:
    """Return the first close a strategy ever decided at."""
    return await transaction.fetch_value("parity.first_look", strategy)


async def read_ledger_span(transaction: Transaction, account: str) -> tuple[datetime, datetime] | None:
    """Return from when to when a ledger has been kept; None where it was never begun."""
    row = await transaction.fetch_row("parity.cursor", account)
    return None if row is None else (row["started_at"], row["processed_through"])


async def read_orders(transaction: Transaction, account: str, since: datetime = EPOCH) -> dict[OrderKey, Order]:
    """Return the orders of a ledger on what was decided at `since` or later."""
    orders = [order_of(row) for row in await transaction.fetch("parity.orders", account, since)]
    return {each.key: each for each in orders}


async def read_fills(
    transaction: Transaction, account: str, since: datetime = EPOCH
) -> dict[tuple[OrderKey, datetime], Fill]:
    """Return the fills of those orders, by order and bar."""
    fills = [_fill(dict(row)) for row in await transaction.fetch("parity.fills", account, since)]
    return {(each.order, each.bar_ts): each for each in fills}


async def read_closed_trades(
    transaction: Transaction, account: str, since: datetime = EPOCH
) -> dict[OrderKey, ClosedTrade]:
    """Return the finished trades of those orders, by the key of their entry."""
    trades = [_trade(row) for row in await transaction.fetch("parity.trades", account, since)]
    return {trade_key(each): each for each in trades}


def trade_key(trade: ClosedTrade) -> OrderKey:
    """Return the key of a trade's entry."""
    return OrderKey(
        account=trade.account,
        strategy=trade.strategy,
        symbol_id=trade.symbol_id,
        decided_at=trade.decided_at,
        leg="entry",
    )


def _fill(facts: dict[str, Any]) -> Fill:
    key = OrderKey(
        account=facts.pop("account"),
        strategy=Strategy(facts.pop("strategy")),
        symbol_id=facts.pop("symbol_id"),
        decided_at=facts.pop("decided_at"),
        leg=facts.pop("leg"),
    )
    side, liquidity = OrderSide(facts.pop("side")), Liquidity(facts.pop("liquidity"))
    return Fill(order=key, side=side, liquidity=liquidity, **facts)


def _trade(row: Row) -> ClosedTrade:
    facts = dict(row)
    strategy, side = Strategy(facts.pop("strategy")), Side(facts.pop("side"))
    return ClosedTrade(strategy=strategy, side=side, exit_reason=ExitReason(facts.pop("exit_reason")), **facts)

"""What the page Paper shows of one account. Money is in its currency, shares and returns are fractions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tracker.store.database import Row, Transaction

T = TypeVar("T")
MOST_RESTING = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFigures:
    """An account in numbers; None before its first minute."""

    account: str
    currency: str
    as_of: datetime | None
    state: str | None
    state_until: datetime | None
    equity: float | None
    cash: float | None
    positions_value: float | None
    paid_in: float | None
    gain: float | None
    net_return: float | None
    realised_pnl: float | None
    unrealised_pnl: float | None
    fees: float | None
    pnl_today: float | None
    return_today: float | None
    drawdown: float | None
    open_positions: int | None
    trades_today: int
    wins_today: int
    trades: int
    wins: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRow:
    """What is held or waited for (`status` pending); `rungs` counts its buys, the entry among them."""

    strategy: str
    symbol: str
    side: str
    status: str
    decided_at: datetime
    opened_at: datetime | None
    expires_at: datetime
    quantity: float
    average_price: float | None
    last_price: float | None
    value: float | None
    unrealised_pnl: float | None
    unrealised_return: float | None
    stop_price: float
    target_price: float
    to_stop: float | None
    to_target: float | None
    loss_at_stop: float | None
    stop_reason: str
    rungs_filled: int
    rungs: int
    leaving: str | None
    confidence: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestingOrder:
    """An order that may still be filled."""

    strategy: str
    symbol: str
    decided_at: datetime
    leg: str
    side: str
    status: str
    quantity: float
    filled_share: float | None
    limit_price: float | None
    reference_price: float
    notional: float
    placed_at: datetime
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRow:
    """A finished trade; `pnl` after fees, `r_multiple` in units of what the first stop would have lost."""

    trade_id: int
    strategy: str
    symbol: str
    side: str
    entry_time: datetime
    exit_time: datetime
    held_seconds: float
    quantity: float
    entry_price: float
    exit_price: float
    fees: float
    pnl: float
    net_return: float | None
    r_multiple: float | None
    exit_reason: str
    confidence: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradePage:
    """Some of an account's finished trades, and how many there are in all."""

    rows: tuple[TradeRow, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityPoint:
    """The equity at the end of a span, and the deepest drawdown in it, 0 or above."""

    at: datetime
    equity: float
    drawdown: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What holds new trades back until a moment of event time: those of a symbol, of a strategy, or (None) all."""

    protection: str
    symbol: str | None
    strategy: str | None
    locked_at: datetime
    until: datetime
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyFigures:
    """A strategy's finished trades; `return_lower_bound` of the mean return, one-sided, 95 percent."""

    strategy: str
    trades: int
    wins: int
    win_rate: float
    profit_factor: float | None
    expectancy: float
    mean_return: float | None
    t_statistic: float | None
    return_lower_bound: float | None
    mean_r: float | None
    fees: float
    pnl: float
    best: float
    worst: float
    mean_held_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolFigures:
    """A symbol's finished trades over all strategies."""

    symbol: str
    trades: int
    wins: int
    win_rate: float
    expectancy: float
    fees: float
    pnl: float
    best: float
    worst: float


async def read_account_figures(transaction: Transaction, account: str) -> AccountFigures | None:
    """Return an account in numbers, None where there is none of that name."""
    row = await transaction.fetch_row("pages_paper.account", account)
    return None if row is None else AccountFigures(**_plain(row))


async def read_positions(transaction: Transaction, account: str) -> tuple[PositionRow, ...]:
    """Return what an account holds or waits for."""
    return _rows(PositionRow, await transaction.fetch("pages_paper.positions", account))


async def read_resting_orders(transaction: Transaction, account: str) -> tuple[RestingOrder, ...]:
    """Return the newest orders that may still be filled, MOST_RESTING of them."""
    return _rows(RestingOrder, await transaction.fetch("pages_paper.resting_orders", account, MOST_RESTING))


async def read_trade_page(
    transaction: Transaction, account: str, symbol: str | None, strategy: str | None, first: int, count: int
) -> TradePage:
    """Return `count` finished trades after the newest `first`, of one symbol and one strategy or of all (None)."""
    rows = await transaction.fetch("pages_paper.trades", account, symbol, strategy, count, first)
    total: int = await transaction.fetch_value("pages_paper.count_trades", account, symbol, strategy)
    return TradePage(rows=_rows(TradeRow, rows), total=total)


async def read_equity(
    transaction: Transaction, account: str, span: timedelta | None, points: int
) -> tuple[EquityPoint, ...]:
    """Return about `points` points of the last `span`, 30 days at most; None: a point a day since the beginning."""
    if span is None:
        return _rows(EquityPoint, await transaction.fetch("pages_paper.equity_days", account))
    row = await transaction.fetch_row("pages_paper.account", account)
    if row is None or row["as_of"] is None:
        return ()
    step = max(span / points, timedelta(minutes=1))
    return _rows(EquityPoint, await transaction.fetch("pages_paper.equity", account, row["as_of"] - span, step))


async def read_strategy_figures(transaction: Transaction, account: str) -> tuple[StrategyFigures, ...]:
    """Return how each strategy did, the best first."""
    return _rows(StrategyFigures, await transaction.fetch("pages_paper.strategies", account))


async def read_symbol_figures(transaction: Transaction, account: str) -> tuple[SymbolFigures, ...]:
    """Return how each symbol did, the best first."""
    return _rows(SymbolFigures, await transaction.fetch("pages_paper.symbols", account))


async def read_locks(transaction: Transaction, account: str) -> tuple[Lock, ...]:
    """Return what holds new trades back now, MOST_RESTING of them, the newest first."""
    return _rows(Lock, await transaction.fetch("pages_paper.locks", account, MOST_RESTING))


def _rows(kind: Callable[..., T], rows: list[Row]) -> tuple[T, ...]:
    return tuple(kind(**_plain(row)) for row in rows)


def _plain(row: Row) -> dict[str, Any]:
    return dict(row.items())

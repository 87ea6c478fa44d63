"""Accounts as people look at them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tracker.domain.money import EXACT
from tracker.store.database import Row, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFigures:
    """An account in numbers, money in its currency.

    `since`, `capital` (what was put in, less what was taken out) and `trades` (closed ones) are of the running books,
    the `books`-th of the account; `waiting` counts commands without an answer.
    """

    account: str
    source: str
    state: str
    currency: str
    cash: Decimal
    positions_value: Decimal
    capital: Decimal
    open_positions: int
    trades: int
    books: int
    waiting: int
    started_at: datetime
    processed_through: datetime
    since: datetime

    @property
    def equity(self) -> Decimal:
        """Cash and what is held at the last closes."""
        return EXACT.add(self.cash, self.positions_value)

    @property
    def pnl(self) -> Decimal:
        """Profit after fees of the running books, with what is not realised."""
        return EXACT.subtract(self.equity, self.capital)


async def read_figures(transaction: Transaction, account: str | None = None) -> list[AccountFigures]:
    """Return one account in numbers, or all of them by name."""
    return [AccountFigures(**dict(row)) for row in await transaction.fetch("accounts.overview", account)]


async def read_account_rows(transaction: Transaction, account: str, trades: int) -> dict[str, list[dict[str, Any]]]:
    """Return positions, resting orders, the newest closed trades and the locks that are on as plain values.

    Times are ISO.
    """
    return {
        "positions": [_plain(row) for row in await transaction.fetch("accounts.positions", account)],
        "resting_orders": [_plain(row) for row in await transaction.fetch("accounts.resting_orders", account)],
        "last_trades": [_plain(row) for row in await transaction.fetch("accounts.last_trades", account, trades)],
        "locks": [_plain(row) for row in await transaction.fetch("accounts.locks", account)],
    }


def _plain(row: Row) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}

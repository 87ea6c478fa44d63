"""What became of looks: how many came how far, and everything that is stored about a single one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tracker.domain.funnel import FunnelStep, LookCount
from tracker.domain.timeframe import Timeframe
from tracker.store.database import Row, Transaction

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookQuestion:
    """Which looks are asked about: closes in (first, end], no strategies or symbols are all."""

    first: datetime
    end: datetime
    strategies: Sequence[str] = ()
    symbols: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NearLook:
    """A look that led to no finished trade; `strength` 0..1, `account` None without a signal."""

    strategy: str
    account: str | None
    symbol: str
    decided_at: datetime
    last_step: FunnelStep
    stopped_by: str
    strength: float
    confirmations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPlace:
    """How far an account's ledger has come; None before its first minute."""

    account: str
    started_at: datetime | None
    processed_through: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookKey:
    """One strategy's look at one symbol at one close."""

    strategy: str
    symbol: str
    symbol_id: int
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What accounts made of a signal: how far it came, orders, fills, the position with its trade, locks."""

    answers: Mapping[str | None, tuple[FunnelStep, str | None]]
    orders: Mapping[str, list[Record]]
    fills: Mapping[str, list[Record]]
    positions: Mapping[str, list[Record]]
    locks: Mapping[str, list[Record]]


async def count_looks(transaction: Transaction, question: LookQuestion) -> list[LookCount]:
    """Return how far the looks came and what stopped them."""
    return [
        LookCount(
            strategy=row["strategy"],
            account=row["account"],
            last_step=FunnelStep(row["last_step"]),
            stopped_by=row["stopped_by"],
            looks=row["looks"],
        )
        for row in await transaction.fetch("looks.counts", *_arguments(question))
    ]


async def read_nearest(transaction: Transaction, question: LookQuestion, each: int) -> list[NearLook]:
    """Return the looks that came nearest to a finished trade without being one, the nearest first.

    They are `each` of each strategy and account, and as many of those that are no account's.
    """
    return [
        NearLook(
            strategy=row["strategy"],
            account=row["account"],
            symbol=row["symbol"],
            decided_at=row["decided_at"],
            last_step=FunnelStep(row["last_step"]),
            stopped_by=row["stopped_by"],
            strength=row["signal_strength"],
            confirmations=row["confirmations"] or 0,
        )
        for row in await transaction.fetch("looks.nearest", *_arguments(question), each)
    ]


async def read_account_places(transaction: Transaction) -> list[AccountPlace]:
    """Return all accounts by name."""
    return [AccountPlace(**dict(row.items())) for row in await transaction.fetch("looks.accounts")]


async def read_look(transaction: Transaction, key: LookKey) -> Record | None:
    """Return the look as it was written."""
    return _record(await transaction.fetch_row("looks.look", key.strategy, key.symbol_id, key.decided_at))


async def read_look_span(transaction: Transaction, key: LookKey) -> tuple[datetime | None, datetime | None]:
    """Return the first and the last stored look of the strategy at the symbol."""
    row = await transaction.fetch_row("looks.span", key.strategy, key.symbol_id)
    assert row is not None  # noqa: S101 - an aggregate returns one row always
    return row["first"], row["last"]


async def read_signal(transaction: Transaction, key: LookKey) -> Record | None:
    """Return the signal as it was written."""
    return _record(await transaction.fetch_row("looks.signal", key.strategy, key.symbol_id, key.decided_at))


async def read_aftermath(transaction: Transaction, key: LookKey) -> Aftermath:
    """Return what became of a signal."""
    rows = await transaction.fetch("looks.answers", key.strategy, key.symbol, key.decided_at)
    answers = {row["account"]: (FunnelStep(row["last_step"]), row["stopped_by"]) for row in rows}
    names = [each for each in answers if each is not None]
    found = {
        table: _by_account(
            await transaction.fetch(f"looks.{table}", key.strategy, key.symbol_id, key.decided_at, names)
        )
        for table in ("orders", "fills", "positions")
    }
    locks = _by_account(await transaction.fetch("looks.locks", key.symbol_id, key.decided_at, names, key.strategy))
    return Aftermath(answers=answers, locks=locks, **found)


async def read_bar(transaction: Transaction, symbol_id: int, timeframe: Timeframe, opened: datetime) -> Record | None:
    """Return a bar with where it came from, when, and how often it was corrected."""
    return _record(await transaction.fetch_row("looks.bar", symbol_id, timeframe.value, opened))


async def read_last_open(
    transaction: Transaction, symbol_id: int, timeframe: Timeframe, before: datetime
) -> datetime | None:
    """Return the open of the newest bar of the 31 days before a moment."""
    return await transaction.fetch_value("looks.last_open", symbol_id, timeframe.value, before)


async def count_bars(
    transaction: Transaction, symbol_id: int, timeframe: Timeframe, first: datetime, end: datetime
) -> int:
    """Return how many bars open in [first, end)."""
    return await transaction.fetch_value("looks.count_bars", symbol_id, timeframe.value, first, end)


async def read_computed_at(
    transaction: Transaction, symbol_id: int, timeframe: Timeframe, opened: datetime, feature_set: int
) -> datetime | None:
    """Return when a bar's features were computed, None where they were not."""
    return await transaction.fetch_value("looks.features_at", symbol_id, timeframe.value, opened, feature_set)


async def read_symbol_status(transaction: Transaction, symbol_id: int) -> Record:
    """Return `status`, `status_reason` and `status_since`."""
    row = await transaction.fetch_row("looks.symbol_status", symbol_id)
    return {} if row is None else dict(row.items())


def _arguments(question: LookQuestion) -> tuple[object, ...]:
    return question.first, question.end, list(question.strategies), list(question.symbols)


def _record(row: Row | None) -> Record | None:
    return None if row is None else dict(row.items())


def _by_account(rows: Sequence[Row]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for row in rows:
        record = dict(row.items())
        found.setdefault(record.pop("account"), []).append(record)
    return found

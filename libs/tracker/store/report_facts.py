"""What stands in a report, read from everybody's tables; as plain values, times as datetimes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tracker.store.database import Row, Transaction

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityThen:
    """An account's equity at an earlier moment, None where its books begin later, and cash moved in since."""

    equity: float | None
    moved: float


async def read_equity_at(transaction: Transaction, account: str, moment: datetime, books_since: datetime) -> EquityThen:
    """Return an account's equity at a moment of the books that began at `books_since`."""
    row = await transaction.fetch_row("report_facts.equity_at", account, moment, books_since)
    assert row is not None  # noqa: S101 - the query returns one row always
    return EquityThen(**dict(row.items()))


async def read_curve(
    transaction: Transaction, account: str, first: datetime, end: datetime, step: timedelta
) -> list[tuple[datetime, float]]:
    """Return an account's equity by time, at most one point a step."""
    rows = await transaction.fetch("report_facts.curve", account, first, end, step)
    return [(row["ts"], row["equity"]) for row in rows]


async def read_drawdown(transaction: Transaction, account: str, first: datetime, end: datetime) -> dict[str, Any]:
    """Return the worst drawdown of a span and that at its end, as fractions of the highest equity."""
    return _one(await transaction.fetch_row("report_facts.drawdown", account, first, end))


async def read_positions(transaction: Transaction) -> Rows:
    """Return what all accounts hold, the largest gain or loss first."""
    return _plain(await transaction.fetch("report_facts.positions"))


async def read_trades(transaction: Transaction, account: str, after: datetime, through: datetime, limit: int) -> Rows:
    """Return an account's trades closed in (after, through], the newest first, with number, wins and sum of all."""
    return _plain(await transaction.fetch("report_facts.trades", account, after, through, limit))


async def read_symbol_results(transaction: Transaction, account: str, after: datetime, through: datetime) -> Rows:
    """Return what each symbol earned an account in trades closed in (after, through], the best first."""
    return _plain(await transaction.fetch("report_facts.symbols", account, after, through))


async def read_funnel(transaction: Transaction, first: datetime, last: datetime, account: str | None) -> Rows:
    """Return by strategy how far the looks of some hours came."""
    return _plain(await transaction.fetch("report_facts.funnel", first, last, account))


async def read_stopped_by(transaction: Transaction, first: datetime, last: datetime, account: str | None) -> Rows:
    """Return by strategy what most looks of some hours stopped at."""
    return _plain(await transaction.fetch("report_facts.stopped_by", first, last, account))


async def read_scanned_through(transaction: Transaction) -> datetime | None:
    """Return how far was scanned, None before the first scan."""
    return await transaction.fetch_value("report_facts.scanned_through")


async def read_shadow_best(transaction: Transaction, span: str, limit: int) -> Rows:
    """Return the best variations of a window in the shadow."""
    return _plain(await transaction.fetch("report_facts.leaders", span, limit))


async def read_champions(transaction: Transaction) -> Rows:
    """Return each scanning strategy's champion and the last look at it."""
    return _plain(await transaction.fetch("report_facts.champions"))


async def read_verdicts(transaction: Transaction, since: datetime) -> Rows:
    """Return what the gate said of models since a moment."""
    return _plain(await transaction.fetch("report_facts.verdicts", since))


async def read_data_quality(transaction: Transaction, since: datetime) -> dict[str, Any]:
    """Return symbols, freshness, and gaps open now or closed since a moment."""
    return _one(await transaction.fetch_row("report_facts.data", since))


async def read_day_coverage(transaction: Transaction, days: int) -> Rows:
    """Return the share of expected bars that is stored on the last days, the last day first."""
    return _plain(await transaction.fetch("report_facts.coverage", timedelta(days=days)))


async def read_told_alerts(transaction: Transaction, since: datetime) -> Rows:
    """Return alerts that are open, were told or are over since a moment."""
    return _plain(await transaction.fetch("report_facts.alerts", since))


async def read_memory(transaction: Transaction) -> dict[str, Any]:
    """Return what the services take in memory, and how often they were started anew."""
    return _one(await transaction.fetch_row("report_facts.memory"))


def _plain(rows: list[Row]) -> Rows:
    return [dict(row.items()) for row in rows]


def _one(row: Row | None) -> dict[str, Any]:
    assert row is not None  # noqa: S101 - aggregates return one row always
    return dict(row.items())

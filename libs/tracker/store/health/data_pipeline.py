"""Facts of the group "data pipeline": whether bars come, of every symbol, and stay whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tracker.store.database import Transaction
from tracker.store.gaps import GapQuestion, read_coverage
from tracker.store.health.facts import Facts

# What is older was looked at when it was young.
EXPLAINED_WITHIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BarFacts(Facts):
    """How the bars stand; None where nothing exists yet."""

    newest_close: datetime | None
    opened_at: datetime | None
    closed_through: datetime | None
    closed_at: datetime | None
    active_symbols: int
    unsupported_symbols: int
    live_symbols: int
    gap_since: datetime | None
    gap_symbols: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedFacts(Facts):
    """By symbol, expected bars of the last closed hour that are neither stored nor in the gap ledger."""

    unexplained: Mapping[str, int]


async def read_bar_facts(transaction: Transaction) -> BarFacts:
    """Return how the bars stand."""
    row = await transaction.fetch_row("health_data_pipeline.bars")
    assert row is not None  # noqa: S101 - the query returns one row always
    return BarFacts(**dict(row.items()))


async def read_explained(transaction: Transaction) -> ExplainedFacts:
    """Return which bars of the last closed hour are missing without a word."""
    bars = await read_bar_facts(transaction)
    end, missing = bars.closed_through, dict[str, int]()
    if end is not None:
        coverage = await read_coverage(transaction, GapQuestion(first=end - EXPLAINED_WITHIN, end=end))
        missing = {each.symbol: each.unexplained for each in coverage if each.unexplained}
    return ExplainedFacts(now=bars.now, unexplained=missing)

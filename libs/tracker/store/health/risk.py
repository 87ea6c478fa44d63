"""Facts of the group "risk": the paper trader, its books and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tracker.store.database import Transaction
from tracker.store.health.facts import Facts
from tracker.store.paper import LedgerCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderFacts(Facts):
    """How far the paper trader is, beside the minutes that are closed; None where nothing exists yet."""

    opened_at: datetime | None
    closed_through: datetime | None
    closed_at: datetime | None
    paper_through: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BookFacts(Facts):
    """By account, what the last check of its ledger said."""

    checks: Mapping[str, LedgerCheck]


async def read_trader_facts(transaction: Transaction) -> TraderFacts:
    """Return how far the paper trader is."""
    row = await transaction.fetch_row("health_risk.trader")
    assert row is not None  # noqa: S101 - the query returns one row always
    return TraderFacts(**dict(row.items()))

"""What each night's check of decisions and ledger found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityMarks:
    """Up to where bars are complete, every strategy that is still scanning has come, and the last good report came."""

    closed_through: datetime | None
    scanned_through: datetime | None
    reported: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastReport:
    """The last finished report, all None where there is none yet; `tried_since`: of the task's first run.

    `scanned`: whether there are any decisions to compare.
    """

    tried_since: datetime | None
    scanned: bool
    first_at: datetime | None
    end_at: datetime | None
    finished_at: datetime | None
    differences: int | None
    never_scanned: Sequence[str]
    error: str | None
    first_difference: Mapping[str, Any] | None


async def read_parity_marks(transaction: Transaction) -> ParityMarks:
    """Return how far everything is; a strategy that is a day behind the others is waited for no more."""
    row = await transaction.fetch_row("parity_reports.span")
    assert row is not None  # noqa: S101 - the query returns one row always
    return ParityMarks(**dict(row))


async def read_first_decision(transaction: Transaction) -> datetime | None:
    """Return the first close that any strategy ever decided at."""
    return await transaction.fetch_value("parity_reports.first_look")


async def begin_report(
    transaction: Transaction, first: datetime, end: datetime, now: datetime
) -> tuple[int, tuple[str, ...]]:
    """Begin a report of the decisions in (first, end], or go on with it; return its number and the steps done."""
    await transaction.execute("parity_reports.drop_unfinished", first, end)
    begun = await transaction.fetch_row("parity_reports.unfinished")
    if begun is not None:
        return begun["report_id"], tuple(begun["done"])
    return await transaction.fetch_value("parity_reports.begin", first, end, now), ()


async def keep_step(
    transaction: Transaction, report: int, step: str, counts: Mapping[str, Any], first: Sequence[Mapping[str, Any]]
) -> None:
    """Note what a step counted and the first of its differences; noting it again changes nothing."""
    await transaction.execute(
        "parity_reports.keep_step",
        report,
        step,
        orjson.dumps(dict(counts)).decode(),
        orjson.dumps(list(first)).decode(),
    )


async def finish_report(
    transaction: Transaction, report: int, now: datetime, *, error: str | None, never_scanned: Sequence[str] = ()
) -> None:
    """End a report; without an error its figures are the sums of its steps."""
    await transaction.execute("parity_reports.finish", report, now, error, list(never_scanned))


async def read_last_report(transaction: Transaction) -> LastReport:
    """Return the last finished report."""
    row = await transaction.fetch_row("parity_reports.last")
    assert row is not None  # noqa: S101 - the query returns one row always
    facts = dict(row)
    first = facts.pop("first_difference")
    never = facts.pop("never_scanned") or ()
    return LastReport(**facts, never_scanned=never, first_difference=None if first is None else orjson.loads(first))


async def forget_reports(transaction: Transaction, before: datetime, at_most: int) -> int:
    """Delete at most so many reports that ended before a moment; return how many it were."""
    return await transaction.execute("parity_reports.forget", before, at_most)


async def read_checkpoint(transaction: Transaction, account: str, through: datetime) -> Any:
    """Return the state, as plain values, that a ledger had at the newest checkpoint up to a moment; None for none."""
    state = await transaction.fetch_value("parity_reports.checkpoint", account, through)
    return None if state is None else orjson.loads(state)


async def keep_checkpoint(
    transaction: Transaction, account: str, at: datetime, rules_hash: str, state: Any, oldest: datetime
) -> None:
    """Keep a ledger's state, and drop those that no check from `oldest` on begins with."""
    await transaction.execute(
        "parity_reports.keep_checkpoint", account, at, rules_hash, orjson.dumps(state).decode()
    )
    await transaction.execute("parity_reports.forget_checkpoints", account, oldest)

"""What keeps the database in order besides rewriting months, and the record of every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How a task fares: its last good run (`seconds` long, begun at `succeeded_at`) and the failures since.

    `unfinished`: the last good run stopped at the end of its slice with more to do.
    """

    task: str
    succeeded_at: datetime | None
    seconds: float | None
    result: Mapping[str, Any]
    unfinished: bool
    failures: int
    failed_at: datetime | None
    error: str | None


async def read_event_time(transaction: Transaction) -> datetime | None:
    """Return up to where bars are complete; None where none ever were."""
    return await transaction.fetch_value("maintenance.event_time")


async def start_run(transaction: Transaction, task: str, at: datetime, *, by_hand: bool) -> int:
    """Note that a task begins and return the number of the run."""
    return await transaction.fetch_value("maintenance.start_run", task, at, by_hand)


async def finish_run(
    transaction: Transaction,
    run_id: int,
    at: datetime,
    *,
    seconds: float,
    error: str | None,
    result: Mapping[str, Any],
) -> None:
    """Note how a run ended; without an error it was good."""
    await transaction.execute(
        "maintenance.finish_run", run_id, at, seconds, error, orjson.dumps(dict(result)).decode()
    )


async def end_interrupted_runs(transaction: Transaction, at: datetime) -> int:
    """Close the records of scheduled runs that nobody is at any more; return how many there were."""
    return await transaction.execute("maintenance.end_interrupted", at)


async def read_histories(transaction: Transaction, tasks: Sequence[str]) -> dict[str, History]:
    """Return how each of the tasks fares."""
    return {
        row["task"]: History(
            task=row["task"],
            succeeded_at=row["succeeded_at"],
            seconds=row["seconds"],
            result=orjson.loads(row["result"] or "{}"),
            unfinished=row["unfinished"],
            failures=row["failures"],
            failed_at=row["failed_at"],
            error=row["error"],
        )
        for row in await transaction.fetch("maintenance.histories", list(tasks))
    }


async def forget_rows(transaction: Transaction, table: str, before: datetime, at_most: int) -> int:
    """Delete at most so many rows that are older than `before`; return how many it were."""
    if table == "maintenance_runs":
        return await transaction.execute("maintenance.forget_runs", before, at_most)
    query = "maintenance.forget_shadow" if table.startswith("shadow_") else "maintenance.forget"
    return await transaction.run_long(query, table, before, at_most)


async def read_aggregates(transaction: Transaction) -> list[str]:
    """Return the names of the materialized views."""
    return [row["name"] for row in await transaction.fetch("maintenance.aggregates")]


async def refresh_aggregate(transaction: Transaction, name: str) -> None:
    """Bring a materialized view up to date; its readers go on."""
    await transaction.run_long("maintenance.refresh", name)


async def read_tables(transaction: Transaction) -> list[str]:
    """Return the names of everything that can be analyzed."""
    return [row["name"] for row in await transaction.fetch("maintenance.tables")]


async def analyze_table(transaction: Transaction, name: str) -> None:
    """Refresh the planner's statistics of a table and its partitions."""
    await transaction.run_long("maintenance.analyze", name)

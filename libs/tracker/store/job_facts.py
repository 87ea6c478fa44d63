"""What the queue of work on models says, and what is asked of it; without the library that works on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from tracker.domain.job import JobKind
from tracker.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """Somebody wants work done; `strategy` None: for all."""

    request_id: int
    requested_by: str
    kind: JobKind
    strategy: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """A try of a job; `outcome` None while it goes on."""

    kind: str
    strategy: str
    reason: str
    attempt: int
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    error: str | None
    result: Mapping[str, Any]
    peak_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingJob:
    """A job in the queue: queued, picked (worked on) or failed (given up)."""

    job_id: int
    kind: str
    strategy: str
    status: str
    attempts: int
    queued_at: datetime
    due_at: datetime
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """What the invariants look at.

    `trained`: by strategy when a training last came to its end and what came of it; `trained_since`: when one was first
    tried.
    """

    waiting: Sequence[WaitingJob] = ()
    trained: Mapping[str, tuple[datetime, dict[str, Any]]] = field(
        default_factory=dict[str, tuple[datetime, dict[str, Any]]]
    )
    trained_since: Mapping[str, datetime] = field(default_factory=dict[str, datetime])


async def read_job_facts(transaction: Transaction) -> JobFacts:
    """Return what the invariants look at."""
    since = await transaction.fetch("jobs.trained_since")
    trained = await transaction.fetch("jobs.last_good_trainings")
    return JobFacts(
        waiting=await read_waiting_jobs(transaction),
        trained={row["strategy"]: (row["ended_at"], orjson.loads(row["result"])) for row in trained},
        trained_since={row["strategy"]: row["since"] for row in since},
    )


async def read_last_starts(
    transaction: Transaction, strategies: Sequence[str]
) -> dict[tuple[str, str], datetime]:
    """Return by kind and strategy when it was last tried."""
    rows = await transaction.fetch("jobs.last_starts", [kind.value for kind in JobKind], list(strategies))
    return {(row["kind"], row["strategy"]): row["started_at"] for row in rows}


async def read_last_runs(transaction: Transaction, strategies: Sequence[str]) -> list[JobRun]:
    """Return the last try of each kind of work for each strategy."""
    rows = await transaction.fetch("jobs.last_runs", [kind.value for kind in JobKind], list(strategies))
    return [JobRun(**{**row, "result": orjson.loads(row["result"])}) for row in map(dict, rows)]


async def read_waiting_jobs(transaction: Transaction) -> list[WaitingJob]:
    """Return what is in the queue, in the order in which it is worked on."""
    return [WaitingJob(**dict(row)) for row in await transaction.fetch("jobs.waiting")]


async def write_job_request(
    transaction: Transaction, requested_by: str, kind: JobKind, strategy: str | None, reason: str
) -> int:
    """Note down that somebody wants work done, and return the request's number."""
    return await transaction.fetch_value("jobs.request", requested_by, kind.value, strategy, reason)


async def read_open_requests(transaction: Transaction) -> list[JobRequest]:
    """Return the requests without an answer, in the order in which they came."""
    rows = await transaction.fetch("jobs.open_requests")
    return [
        JobRequest(
            request_id=row["request_id"], requested_by=row["requested_by"], kind=JobKind(row["kind"]),
            strategy=row["strategy"], reason=row["reason"],
        )
        for row in rows
    ]


async def answer_request(transaction: Transaction, request_id: int, outcome: str, note: str) -> None:
    """Say what became of a request: queued, joined or refused."""
    await transaction.execute("jobs.answer", request_id, outcome, note)


async def read_request_answer(transaction: Transaction, request_id: int) -> tuple[str, str] | None:
    """Return outcome and note of a request; None while ml_retrainer has not come to it."""
    row = await transaction.fetch_row("jobs.answer_of", request_id)
    return None if row is None else (row["outcome"], row["note"])

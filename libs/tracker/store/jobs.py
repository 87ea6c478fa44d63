"""The queue of work on models: PgQueuer's own statements, each in a transaction of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import orjson
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.models import Job as QueuedJob
from pgqueuer.domain.models import TracebackRecord
from pgqueuer.domain.settings import DBSettings, Durability
from pgqueuer.domain.types import QueueEntrypoint, QueueManagerId
from pgqueuer.ports.driver import Driver
from pgqueuer.ports.repository import EntrypointExecutionParameter

from tracker.domain.job import Job, JobKind, RunOutcome, Work
from tracker.store.database import Transaction

# Every name is given: PgQueuer would take those that are missing from the environment, by names as common as FUNCTION.
NAMES = DBSettings.model_validate(
    {
        "prefix": "", "db_schema": "tracker", "channel": "tracker_jobs", "function": "fn_pgqueuer_changed",
        "statistics_table": "pgqueuer_statistics", "queue_status_type": "pgqueuer_status",
        "queue_table": "pgqueuer", "queue_table_log": "pgqueuer_log", "trigger": "tg_pgqueuer_changed",
        "schedules_table": "pgqueuer_schedules", "durability": Durability.durable, "widen_id": False,
    }
)  # fmt: skip
_PRIORITY: Mapping[JobKind, int] = {kind: len(JobKind) - place for place, kind in enumerate(JobKind)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """How a try ended; `peak_bytes` of its worker, where that is known."""

    outcome: RunOutcome
    error: str | None = None
    result: Mapping[str, Any]
    peak_bytes: int | None = None


class _InTransaction:
    """What PgQueuer runs its statements through; it neither listens nor commits."""

    def __init__(self, transaction: Transaction) -> None:
        self._connection = transaction.connection

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        return [dict(row) for row in await self._connection.fetch(query, *args)]

    async def execute(self, query: str, *args: object) -> str:
        return await self._connection.execute(query, *args)


def queue_in(transaction: Transaction) -> Queries:
    """Return PgQueuer's statements, to be run in a transaction that the caller commits."""
    # Of a driver its statements use these two methods alone.
    return Queries(
        cast(Driver, _InTransaction(transaction)),
        QueryBuilderEnvironment(NAMES),
        QueryQueueBuilder(NAMES),
        QuerySchedulerBuilder(NAMES),
    )


async def enqueue(transaction: Transaction, work: Work) -> bool:
    """Queue work unless the same waits or runs already; tells whether it was queued."""
    ids = await queue_in(transaction).enqueue(
        work.kind.value,
        orjson.dumps({"strategy": work.strategy, "reason": work.reason}),
        _PRIORITY[work.kind],
        dedupe_key=work.key,
        on_conflict="skip",
    )
    return ids != [None]


async def take_next(transaction: Transaction, worker: UUID, silence: timedelta) -> Job | None:
    """Take the next job that is due, or one whose heartbeat was silent for so long; None where there is none."""
    unlimited = EntrypointExecutionParameter(concurrency_limit=0)
    picked = await queue_in(transaction).dequeue(
        batch_size=1,
        entrypoints={QueueEntrypoint(kind.value): unlimited for kind in JobKind},
        queue_manager_id=QueueManagerId(worker),
        global_concurrency_limit=None,
        heartbeat_timeout=silence,
    )
    return await _job(transaction, picked[0]) if picked else None


async def beat_job(transaction: Transaction, job: Job) -> None:
    """Say that a job is still worked on."""
    await transaction.connection.execute(QueryQueueBuilder(NAMES).build_update_heartbeat_query(), [job.job_id])


async def finish_job(transaction: Transaction, job: Job) -> None:
    """Take a job that is done out of the queue, with all that were given up before of the same work."""
    await _log(transaction, job, "successful", None)
    await transaction.execute("jobs.forget_failed", job.work.key)


async def give_up_job(transaction: Transaction, job: Job, error: Exception, now: datetime) -> None:
    """Keep a job as failed; it is not tried again."""
    await _log(transaction, job, "failed", _record(job, error, now))


async def retry_job(transaction: Transaction, job: Job, wait: timedelta, error: Exception, now: datetime) -> None:
    """Queue a job again, to be tried after `wait`; counts as a failure."""
    await transaction.connection.execute(
        QueryQueueBuilder(NAMES).build_retry_job_query(), job.job_id, wait, _record(job, error, now).model_dump_json()
    )


async def put_back_job(transaction: Transaction, job: Job) -> None:
    """Queue a job again at once, without counting it as a failure."""
    await transaction.execute("jobs.put_back", job.job_id)


async def picked_jobs(transaction: Transaction) -> list[Job]:
    """Return the jobs that somebody works on, or did when the process vanished."""
    found = await queue_in(transaction).browse_queue(limit=1_000, statuses=["picked"])
    return [await _job(transaction, each) for each in found]


async def start_job_run(transaction: Transaction, job: Job, now: datetime) -> int:
    """Note that a job is tried; returns the try's number."""
    work = job.work
    return await transaction.fetch_value(
        "jobs.start_run", job.job_id, work.kind.value, work.strategy, work.reason, job.failures + 1, now
    )


async def end_job_run(transaction: Transaction, run_id: int, now: datetime, end: RunEnd) -> None:
    """Note how a try ended."""
    result = orjson.dumps(end.result, option=orjson.OPT_NON_STR_KEYS).decode()
    await transaction.execute(
        "jobs.end_run", run_id, now, end.outcome.value, end.error, result, end.peak_bytes
    )


async def end_lost_runs(transaction: Transaction, now: datetime) -> set[int]:
    """Note of all tries without an end that their process vanished; return their jobs."""
    return {row["job_id"] for row in await transaction.fetch("jobs.end_lost_runs", now)}


async def forget_jobs(transaction: Transaction, before: datetime) -> None:
    """Delete tries and log entries from before a time, but for the last good try of each kind of work."""
    await transaction.execute("jobs.forget_runs", before)
    await transaction.execute("jobs.forget_log", before)


async def _job(transaction: Transaction, queued: QueuedJob) -> Job:
    payload = orjson.loads(queued.payload or b"{}")
    lost: int = await transaction.fetch_value("jobs.lost_runs", queued.id)
    work = Work(kind=JobKind(queued.entrypoint), strategy=payload["strategy"], reason=payload["reason"])
    return Job(job_id=queued.id, work=work, failures=queued.attempts + lost)


async def _log(transaction: Transaction, job: Job, status: str, record: TracebackRecord | None) -> None:
    await transaction.connection.execute(
        QueryQueueBuilder(NAMES).build_log_job_query(),
        [job.job_id], [status], [None if record is None else record.model_dump_json()],
    )  # fmt: skip


def _record(job: Job, error: Exception, now: datetime) -> TracebackRecord:
    return TracebackRecord(
        job_id=_id(job), timestamp=now, exception_type=type(error).__name__, exception_message=str(error),
        traceback="", additional_context={"kind": job.work.kind.value, "strategy": job.work.strategy},
    )


def _id(job: Job) -> Any:
    return job.job_id

"""The small process that stays: holds the lease, queues what is due, and starts a worker for each job."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from prometheus_client import Counter, Gauge
from tracker.domain.clock import Clock
from tracker.domain.errors import DatabaseUnavailableError, LeaseLostError, TrackerError
from tracker.domain.job import Job, RunOutcome
from tracker.runtime.leadership import Leadership
from tracker.runtime.lease import Lease, holder_name, while_kept
from tracker.runtime.logging import Logger
from tracker.runtime.retraining_rules import RetrainingRules, load_retraining_rules
from tracker.store.database import Database
from tracker.store.job_facts import (
    JobRun,
    WaitingJob,
    read_last_runs,
    read_waiting_jobs,
)
from tracker.store.jobs import (
    RunEnd,
    beat_job,
    end_job_run,
    end_lost_runs,
    finish_job,
    forget_jobs,
    give_up_job,
    picked_jobs,
    put_back_job,
    retry_job,
    start_job_run,
    take_next,
)

from services.ml_retrainer.process import (
    MEGABYTE,
    Assignment,
    Event,
    Limits,
    Worker,
    WorkerFailedError,
    work_in_process,
)
from services.ml_retrainer.queueing import heed, queue_wanted, read_wanted
from services.ml_retrainer.settings import RetrainerSettings

LEASE = "ml_retrainer"
BEATS = 4
RUNS = Counter("tracker_model_jobs_total", "Tries of jobs", ["kind", "outcome"])
SECONDS = Gauge("tracker_model_job_seconds", "Duration of a job's last try", ["kind"])
PEAK = Gauge("tracker_model_job_peak_bytes", "Most memory of a job's last worker", ["kind"])
FAILED = Gauge("tracker_model_jobs_failed", "Jobs that were given up")


def build(settings: RetrainerSettings, database: Database, clock: Clock, log: Logger) -> RetrainerService:
    """Make the service with a worker process of its own; raises ConfigError where its file is unusable."""
    return RetrainerService(
        database, load_retraining_rules(settings.config_dir), settings, clock, log, work_in_process
    )


class RetrainerService:
    """The service; all it knows between runs is in the database, so any replica can go on for another."""

    name = "ml_retrainer"
    # Queued work may wait for a look: listening would cost a connection.
    channels: tuple[str, ...] = ()
    # A worker that is ended leaves nothing half done, and its job waits again.
    interruptible = True

    def __init__(
        self,
        database: Database,
        rules: RetrainingRules,
        settings: RetrainerSettings,
        clock: Clock,
        log: Logger,
        worker: Worker,
    ) -> None:
        """Stand by until the lease is had."""
        self._database = database
        self._rules = rules
        self._settings = settings
        self._clock = clock
        self._log = log
        self._lease = Lease(database, LEASE, self.name, holder_name(), settings.lease_seconds, clock)
        self._leadership = Leadership(self._lease, settings.lease_seconds, log, self._take_over)
        self._worker = worker
        self._id = uuid.uuid4()
        self._working: dict[str, Any] | None = None
        self._peak: int | None = None
        self._waiting: list[WaitingJob] = []
        self._last: list[JobRun] = []

    def detail(self) -> dict[str, Any]:
        """Return what is shown in /health: who acts, what goes on, what waits, and how the last tries ended."""
        failed = [each for each in self._waiting if each.status == "failed"]
        detail: dict[str, Any] = {
            **self._leadership.detail(), "working": self._working,
            "peak_mb": None if self._peak is None else round(self._peak / MEGABYTE),
            "waiting": [
                {"kind": each.kind, "strategy": each.strategy, "due_at": each.due_at.isoformat(),
                 "failures": each.attempts}
                for each in self._waiting if each.status == "queued"
            ],
            "last": {f"{each.kind} {each.strategy}": _words(each) for each in self._last},
        }  # fmt: skip
        if failed:
            worst = failed[0]
            detail["problem"] = f"{len(failed)} given up, first {worst.kind} of {worst.strategy}: {worst.error}"
        return detail

    async def run_once(self) -> bool:
        """Queue what is due and have the next job done; return whether there may be another at once."""
        try:
            return await self._leadership.lead() and await self._act()
        except LeaseLostError:
            self._leadership.stand_by()
            raise

    async def _act(self) -> bool:
        await self._queue_due()
        taken = await self._take()
        if taken is None:
            await self._look()
            return False
        job, run_id = taken
        await self._look()
        try:
            await self._try(job, run_id)
        finally:
            self._working = None
        await self._look()
        return True

    async def background(self, wake: asyncio.Event) -> None:
        """Give the lease back when the service ends, so that nobody need wait for its time to pass."""
        del wake
        await self._leadership.give_back_at_end()

    async def _take_over(self) -> None:
        """Have jobs wait again whose process vanished; those that took it along too often are given up."""
        now = self._clock.now()
        async with self._lease.transaction() as transaction:
            await end_lost_runs(transaction, now)
            for job in await picked_jobs(transaction):
                if job.failures >= self._rules.retry.tries:
                    gone = WorkerFailedError(f"its process vanished; given up after {job.failures} tries")
                    await give_up_job(transaction, job, gone, now)
                else:
                    await put_back_job(transaction, job)
                self._log.warning("a job was left behind", action="job_left", **_named(job), failures=job.failures)
            await forget_jobs(transaction, now - timedelta(days=self._rules.keep_days))

    async def _queue_due(self) -> None:
        async with self._database.transaction() as transaction:
            wanted = await read_wanted(transaction, self._rules, self._clock.now())
        if wanted.due or wanted.requests:
            async with self._lease.transaction() as transaction:
                for work in await queue_wanted(transaction, self._rules, wanted):
                    self._log.info("a job waits", action="job_queued", work=work.key, reason=work.reason)

    async def _take(self) -> tuple[Job, int] | None:
        """Take the next job and note its try; those that failed too often by vanishing are given up."""
        now = self._clock.now()
        async with self._lease.transaction() as transaction:
            silence = timedelta(seconds=self._settings.lease_seconds)
            job = await take_next(transaction, self._id, silence)
            if job is None:
                return None
            # Of its own try before, where the database was away when that ended.
            await end_lost_runs(transaction, now)
            return job, await start_job_run(transaction, job, now)

    async def _try(self, job: Job, run_id: int) -> None:
        begun = self._clock.monotonic()
        self._peak = None
        self._working = {**_named(job), "since": self._clock.now().isoformat(), "words": job.work.kind.purpose}
        self._log.info("a job begins", action="job_started", **_named(job), failures=job.failures)
        try:
            result = await self._while_held(job)
        except LeaseLostError:
            # Whoever has the lease now has the job, too.
            raise
        except asyncio.CancelledError:
            await self._end(job, run_id, RunOutcome.INTERRUPTED, {}, None)
            raise
        except TrackerError as error:
            await self._failed(job, run_id, error)
        else:
            await self._end(job, run_id, RunOutcome.DONE, result, None)
        SECONDS.labels(job.work.kind.value).set(self._clock.monotonic() - begun)
        PEAK.labels(job.work.kind.value).set(self._peak or 0)

    async def _failed(self, job: Job, run_id: int, error: TrackerError) -> None:
        again = error.retryable and job.failures + 1 < self._rules.retry.tries
        await self._end(job, run_id, RunOutcome.RETRIED if again else RunOutcome.FAILED, {}, error)

    async def _end(
        self, job: Job, run_id: int, outcome: RunOutcome, result: Mapping[str, Any], error: TrackerError | None
    ) -> None:
        """Note how a try ended, and have the queue go by it, in one transaction."""
        now = self._clock.now()
        end = RunEnd(
            outcome=outcome, error=None if error is None else str(error), result=result, peak_bytes=self._peak
        )
        async with self._lease.transaction() as transaction:
            await end_job_run(transaction, run_id, now, end)
            if error is None and outcome is RunOutcome.DONE:
                await finish_job(transaction, job)
                await heed(transaction, self._rules, job, result, now)
            elif error is None:
                await put_back_job(transaction, job)
            elif outcome is RunOutcome.RETRIED:
                await retry_job(transaction, job, self._rules.retry.wait(job.failures + 1), error, now)
            else:
                await give_up_job(transaction, job, error, now)
        RUNS.labels(job.work.kind.value, outcome.value).inc()
        tell = self._log.error if outcome is RunOutcome.FAILED else self._log.info
        tell("a job ended", action="job_ended", **_named(job), outcome=outcome.value, error=end.error,
             result=dict(result), peak_bytes=self._peak)  # fmt: skip

    async def _while_held(self, job: Job) -> Event:
        """Let the worker work while the lease is renewed; where it is lost, the worker ends."""
        assignment = Assignment(
            work=job.work,
            lease=LEASE,
            holder=self._lease.holder,
            limits=Limits(
                memory_bytes=self._rules.memory_limit_mb * MEGABYTE,
                seconds=self._rules.longest_minutes[job.work.kind] * 60,
                end_seconds=self._settings.end_seconds,
            ),
        )
        return await while_kept(self._worker(assignment, self._hear), self._lease.keep(), self._beat(job))

    async def _beat(self, job: Job) -> None:
        while True:
            await asyncio.sleep(self._settings.lease_seconds / BEATS)
            try:
                async with self._lease.transaction() as transaction:
                    await beat_job(transaction, job)
            except DatabaseUnavailableError as error:
                # How long that may go on is the lease's to say.
                self._log.warning("a job could not be told to go on", action="job_silent", error=str(error))

    def _hear(self, event: Event) -> None:
        if event["event"] == "memory":
            self._peak = event["peak_bytes"]
        elif self._working is not None:
            self._working = {**self._working, "words": event.get("words", "")}

    async def _look(self) -> None:
        async with self._database.transaction() as transaction:
            self._waiting = await read_waiting_jobs(transaction)
            self._last = await read_last_runs(transaction, self._rules.strategies)
        FAILED.set(sum(each.status == "failed" for each in self._waiting))


def _named(job: Job) -> dict[str, Any]:
    return {
        "job": job.job_id, "kind": job.work.kind.value, "strategy": job.work.strategy, "reason": job.work.reason
    }


def _words(run: JobRun) -> str:
    if run.outcome is None:
        return f"since {run.started_at:%Y-%m-%d %H:%M} UTC"
    return f"{run.outcome} {run.ended_at:%Y-%m-%d %H:%M} UTC" + (f": {run.error}" if run.error else "")

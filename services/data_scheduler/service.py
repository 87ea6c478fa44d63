"""Keeps the database in order: one replica does, a slice of the task that is next at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import datetime
from typing import Any

from prometheus_client import Counter, Gauge
from tracker.domain.clock import Clock
from tracker.runtime.leadership import Leadership
from tracker.runtime.lease import Lease, holder_name, while_kept
from tracker.runtime.logging import Logger
from tracker.runtime.maintenance_rules import MaintenanceRules, TaskName, load_maintenance_rules
from tracker.store.archive import count_months
from tracker.store.database import Database
from tracker.store.maintenance import History, end_interrupted_runs, read_event_time, read_histories

from services.data_scheduler.runs import MONTHS_LEASE, Run, run_noted
from services.data_scheduler.schedule import next_task
from services.data_scheduler.settings import SchedulerSettings
from services.data_scheduler.slices import Slice
from services.data_scheduler.tasks import MONTHLY, Tasks

LEASE = "data_scheduler"
RUNS = Counter("tracker_maintenance_runs_total", "Runs of maintenance tasks", ["task", "outcome"])
SECONDS = Gauge("tracker_maintenance_seconds", "Duration of a maintenance task's last run", ["task"])
FAILURES = Gauge("tracker_maintenance_failures", "Failures of a maintenance task in a row", ["task"])


def build(settings: SchedulerSettings, database: Database, clock: Clock, log: Logger) -> DataScheduler:
    """Make the service with the rules in the configuration folder.

    Raises ConfigError where the file holds something unusable.
    """
    return DataScheduler(database, load_maintenance_rules(settings.config_dir), settings, clock, log)


class DataScheduler:
    """The service; all it knows between runs is in the database, so any replica can go on for another."""

    name = "data_scheduler"
    channels: tuple[str, ...] = ()
    # Each step is a transaction of its own.
    interruptible = True

    def __init__(
        self, database: Database, rules: MaintenanceRules, settings: SchedulerSettings, clock: Clock, log: Logger
    ) -> None:
        """Stand by until the lease is had."""
        holder = holder_name()
        self._database = database
        self._rules = rules
        self._clock = clock
        self._log = log
        self._lease = Lease(database, LEASE, self.name, holder, settings.lease_seconds, clock)
        self._leadership = Leadership(self._lease, settings.lease_seconds, log, self._take_over)
        self._months_lease = Lease(database, MONTHS_LEASE, self.name, holder, settings.lease_seconds, clock)
        self._tasks = Tasks(database, rules, settings, clock, self._tell)
        self._working: str | None = None
        self._histories: dict[str, History] = {}
        self._months = (0, 0)

    def detail(self) -> dict[str, Any]:
        """Return what is shown in /health: who acts, how each task fares, and what goes on."""
        detail: dict[str, Any] = {
            **self._leadership.detail(), "working": self._working,
            "months": {"kept": self._months[0], "archived": self._months[1]},
            "tasks": {task: self._fares(task, history) for task, history in self._histories.items()},
        }
        failing = [h for h in self._histories.values() if h.failures >= self._rules.retry.alarm_after]
        if failing:
            worst = max(failing, key=lambda history: history.failures)
            detail["problem"] = f"{worst.task} failed {worst.failures} times in a row: {worst.error}"
        return detail

    async def run_once(self) -> bool:
        """Do a slice of the task that is next; return whether there may be another at once."""
        if not await self._leadership.lead():
            self._histories = {}
            return False
        if not await self._look():
            return False
        deferred: set[TaskName] = set()
        while (task := self._next(deferred)) is not None:
            if task not in MONTHLY:
                await self._run(task, [self._lease])
                return True
            # Somebody may be rewriting months by hand: the others have their turn then.
            if await self._months_lease.acquire():
                try:
                    await self._run(task, [self._lease, self._months_lease])
                finally:
                    await self._months_lease.release()
                return True
            deferred |= MONTHLY
        return False

    async def background(self, wake: asyncio.Event) -> None:
        """Give the lease back when the service ends, so that nobody need wait for its time to pass."""
        del wake
        await self._leadership.give_back_at_end()

    async def _take_over(self) -> None:
        """Note that runs which an earlier holder began have ended."""
        async with self._database.transaction() as transaction:
            await end_interrupted_runs(transaction, self._clock.now())
            await transaction.commit()

    async def _look(self) -> bool:
        """Read how the tasks fare; tells whether there is anything to keep in order: a bar that closed."""
        async with self._database.transaction() as transaction:
            event_time = await read_event_time(transaction)
            self._histories = await read_histories(transaction, [task.value for task in TaskName])
            self._months = await count_months(transaction)
        for task, history in self._histories.items():
            FAILURES.labels(task).set(history.failures)
        return event_time is not None

    def _next(self, without: Collection[TaskName]) -> TaskName | None:
        return next_task(self._rules, self._histories, self._clock.now(), without)

    async def _run(self, task: TaskName, leases: list[Lease]) -> None:
        history = self._histories[task]
        earlier = history.result if history.unfinished else {}
        time = Slice(self._clock, self._rules.slice_seconds)
        self._working = task.value
        try:
            work = self._tasks.run(task, time, earlier)
            noted = run_noted(self._database, self._clock, task, work, by_hand=False)
            self._note(await while_kept(noted, *(each.keep() for each in leases)))
            await self._look()
        finally:
            self._working = None

    def _note(self, run: Run) -> None:
        RUNS.labels(run.task.value, "ok" if run.error is None else "error").inc()
        SECONDS.labels(run.task.value).set(run.seconds)
        if run.error is None:
            self._log.info("a task ran", action="task_done", **run.document())
        else:
            self._log.warning("a task failed", action="task_failed", **run.document())

    def _tell(self, words: str) -> None:
        self._working = words

    def _fares(self, task: str, history: History) -> dict[str, Any]:
        return {
            "schedule": str(self._rules.schedule[TaskName(task)]), "last_good": _iso(history.succeeded_at),
            "seconds": history.seconds, "unfinished": history.unfinished, "failures": history.failures,
            "error": history.error if history.failures else None,
        }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()

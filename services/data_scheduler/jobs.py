"""`python -m services.data_scheduler.jobs TASK`: a task by hand, told as one JSON object a line.

Lines on standard output are {"event": "progress" | "report" | "refused"}; logs go to standard error. Exit code 0 when
the report came, even that of a failure, 1 or 2 after a refusal that a retry may or may not help.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from typing import Any

import orjson
from tracker.domain.clock import Clock, SystemClock
from tracker.domain.errors import ConfigError, InputError, TrackerError
from tracker.runtime.lease import Lease, holder_name, while_kept
from tracker.runtime.logging import configure_logging
from tracker.runtime.maintenance_rules import MaintenanceRules, TaskName, load_maintenance_rules
from tracker.runtime.parent import parent_gone
from tracker.runtime.settings import load_settings
from tracker.store.database import Database
from tracker.store.leases import read_lease

from services.data_scheduler.runs import MONTHS_LEASE, Run, run_noted
from services.data_scheduler.settings import SchedulerSettings
from services.data_scheduler.slices import Slice, Tell
from services.data_scheduler.tasks import MONTHLY, Tasks

SERVICE = "data_scheduler"
ASK_AGAIN_SECONDS = 0.5


class MonthsTakenError(TrackerError):
    """Somebody else rewrites months of bars."""

    retryable = True


def main() -> None:
    """Run a task; what makes it impossible is one line with the sentence."""
    log = configure_logging("maintain", stream=sys.stderr)
    try:
        _tell({"event": "report", **asyncio.run(_until_told(sys.argv[1:]))})
    except TrackerError as error:
        log.error("the task cannot be run", action="task_refused", error=str(error))
        _tell({"event": "refused", "error": str(error)})
        sys.exit(1 if error.retryable else 2)
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(130)


async def run_by_hand(
    database: Database, rules: MaintenanceRules, settings: SchedulerSettings, clock: Clock, task: TaskName, tell: Tell
) -> Run:
    """Run a task to its end; waits for the months where the service, or somebody else, is rewriting them.

    Raises MonthsTakenError where that takes longer than `wait_seconds`.
    """
    leases: list[Lease] = []
    async with AsyncExitStack() as held:
        if task in MONTHLY:
            lease = Lease(database, MONTHS_LEASE, SERVICE, holder_name(), settings.lease_seconds, clock)
            await _take(lease, database, settings.wait_seconds, clock, tell)
            held.push_async_callback(lease.release)
            leases.append(lease)
        work = Tasks(database, rules, settings, clock, tell).run(task, Slice(clock, None), {})
        noted = run_noted(database, clock, task, work, by_hand=True)
        return await while_kept(noted, *(each.keep() for each in leases))


async def _take(lease: Lease, database: Database, patience: float, clock: Clock, tell: Tell) -> None:
    give_up_at = clock.monotonic() + patience
    while not await lease.acquire():
        async with database.transaction() as transaction:
            row = await read_lease(transaction, lease.name)
        holder = "somebody" if row is None else row.holder
        if clock.monotonic() >= give_up_at:
            raise MonthsTakenError(f"months of bars are being rewritten by {holder}: try again later")
        tell(f"waiting for {holder}, who rewrites months of bars")
        await asyncio.sleep(ASK_AGAIN_SECONDS)


async def _until_told(arguments: list[str]) -> dict[str, Any]:
    """Run the job until it is through or told to stop, and not beyond the life of the process that shows it."""
    job = asyncio.create_task(_run(arguments))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, job.cancel)
    orphaned = asyncio.create_task(parent_gone(True))
    try:
        await asyncio.wait((job, orphaned), return_when=asyncio.FIRST_COMPLETED)
        if not job.done():
            job.cancel()
        return await job
    finally:
        orphaned.cancel()
        job.cancel()


async def _run(arguments: list[str]) -> dict[str, Any]:
    names = [task.value for task in TaskName]
    if len(arguments) != 1 or arguments[0] not in names:
        raise InputError(f"TASK: {' '.join(arguments)!r} is not one of {', '.join(names)}")
    settings = load_settings(SchedulerSettings)
    if settings.database_url is None:
        raise ConfigError("environment: DATABASE_URL is missing")
    rules = load_maintenance_rules(settings.config_dir)
    database = await Database.open(
        settings.database_url.get_secret_value(), role="tracker_data_scheduler", pool_size=2, application="maintain"
    )
    try:
        run = await run_by_hand(
            database, rules, settings, SystemClock(), TaskName(arguments[0]),
            lambda words: _tell({"event": "progress", "words": words}),
        )
        return run.document()
    finally:
        await database.close()


def _tell(event: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(event) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()

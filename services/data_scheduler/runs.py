"""One run of a task: noted when it begins and how it ended, and never beyond the leases it needs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from tracker.domain.clock import Clock
from tracker.domain.errors import TrackerError
from tracker.runtime.maintenance_rules import TaskName
from tracker.store.database import Database
from tracker.store.maintenance import finish_run, start_run

from services.data_scheduler.slices import Outcome

# Whoever rewrites months holds this one, the service for a slice and work by hand for as long as it takes.
MONTHS_LEASE = "data_scheduler_months"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a run ended; `error` is None where it was good."""

    task: TaskName
    seconds: float
    outcome: Outcome
    error: TrackerError | None

    def document(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "task": self.task.value, "ok": self.error is None, "seconds": round(self.seconds, 3),
            "result": self.outcome.document(), "error": None if self.error is None else str(self.error),
        }


async def run_noted(
    database: Database, clock: Clock, task: TaskName, work: Coroutine[Any, Any, Outcome], *, by_hand: bool
) -> Run:
    """Do `work` and note it in maintenance_runs; raises what kept it from being noted, or a defect."""
    begun = clock.monotonic()
    try:
        async with database.transaction() as transaction:
            run_id = await start_run(transaction, task.value, clock.now(), by_hand=by_hand)
            await transaction.commit()
    except BaseException:
        work.close()
        raise

    async def note(result: Mapping[str, Any], error: str | None) -> float:
        seconds = clock.monotonic() - begun
        async with database.transaction() as transaction:
            await finish_run(transaction, run_id, clock.now(), seconds=seconds, error=error, result=result)
            await transaction.commit()
        return seconds

    try:
        outcome = await work
    except TrackerError as error:
        seconds = await note({}, str(error))
        return Run(task=task, seconds=seconds, outcome=Outcome(result={}), error=error)
    except asyncio.CancelledError:
        # Told to stop: what is done stays done, and the next run goes on from there.
        await note({"stopped": True, "unfinished": True}, None)
        raise
    except Exception as error:
        await note({}, repr(error))
        raise
    return Run(task=task, seconds=await note(outcome.document(), None), outcome=outcome, error=None)

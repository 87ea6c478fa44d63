"""Yesterday's decisions and the ledger, worked out once more by a process that ends with it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from tracker.domain.clock import Clock
from tracker.domain.errors import ConfigError, TrackerError
from tracker.runtime.maintenance_rules import ParityRules
from tracker.runtime.settings import environment
from tracker.store.database import Database
from tracker.store.parity_reports import (
    ParityMarks,
    begin_report,
    finish_report,
    keep_step,
    read_first_decision,
    read_parity_marks,
)

from services.data_scheduler.settings import SchedulerSettings
from services.data_scheduler.slices import Outcome, Slice, Tell

DAY = timedelta(days=1)
END_SECONDS = 5.0
# A line holds a step's differences with their inputs.
LONGEST_LINE = 2**26


class ParityStepError(TrackerError):
    """The process that compares ended without saying what it found."""

    retryable = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """Decisions at closes in (first, end] are taken again."""

    first: datetime
    end: datetime


def night_of(marks: ParityMarks, first_decision: datetime | None, longest_days: int) -> Night | None:
    """Return what to take again: the last whole day (UTC) of event time, and what no report covers before it.

    Not further than every strategy has scanned; None where nothing was decided before the end of that day.
    """
    if marks.closed_through is None or marks.scanned_through is None or first_decision is None:
        return None
    midnight = marks.closed_through.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    end = min(midnight, marks.scanned_through)
    first = min(end - DAY, marks.reported or first_decision - DAY)
    first = max(first, end - longest_days * DAY, first_decision - DAY)
    return Night(first=first, end=end) if first_decision <= end else None


class NightlyParity:
    """The task. A report is one row, which grows step by step, so that whoever comes next goes on with it."""

    def __init__(
        self, database: Database, rules: ParityRules, settings: SchedulerSettings, clock: Clock, tell: Tell
    ) -> None:
        """Nothing is asked of the database yet."""
        self._database = database
        self._rules = rules
        self._settings = settings
        self._clock = clock
        self._tell = tell

    async def run(self, time: Slice) -> Outcome:
        """Compare until the report is finished or the slice is over; a failure is a report too.

        Raises ParityStepError where the process that compares did not come to its end.
        """
        night = await self._night()
        if night is None:
            return Outcome(result={"looks": 0})
        async with self._database.transaction() as transaction:
            report, done = await begin_report(transaction, night.first, night.end, self._clock.now())
            await transaction.commit()
        try:
            return await self._compare(report, done, night, time)
        except ParityStepError as error:
            await self._finish(report, error=str(error))
            raise

    async def _night(self) -> Night | None:
        async with self._database.transaction() as transaction:
            marks = await read_parity_marks(transaction)
            first = await read_first_decision(transaction)
        return night_of(marks, first, self._rules.longest_days)

    async def _compare(self, report: int, done: Sequence[str], night: Night, time: Slice) -> Outcome:
        words = [night.first.isoformat(), night.end.isoformat(), str(self._rules.differences_kept), *done]
        totals: dict[str, Any] = {"report": report, "end": night.end.isoformat(), "differences": 0}
        async with aclosing(_lines(self._settings, words)) as lines:
            async for line in lines:
                match line["event"]:
                    case "step":
                        await self._keep(report, line)
                        totals["differences"] += line["counts"]["differences"]
                        if time.is_over:
                            return Outcome(result=totals, unfinished=True)
                    case "end":
                        await self._finish(report, never_scanned=line["never_scanned"])
                        return Outcome(result=totals)
                    case _:
                        raise ParityStepError(line["error"])
        raise ParityStepError("the process that compares ended in the middle")

    async def _keep(self, report: int, line: Mapping[str, Any]) -> None:
        self._tell(f"{line['name']}: {line['counts']['differences']:,} differences")
        async with self._database.transaction() as transaction:
            await keep_step(transaction, report, line["name"], line["counts"], line["first"])
            await transaction.commit()

    async def _finish(self, report: int, *, error: str | None = None, never_scanned: Sequence[str] = ()) -> None:
        async with self._database.transaction() as transaction:
            await finish_report(transaction, report, self._clock.now(), error=error, never_scanned=never_scanned)
            await transaction.commit()


async def _lines(settings: SchedulerSettings, words: Sequence[str]) -> AsyncGenerator[dict[str, Any]]:
    """Yield what the process says; it is ended where nobody listens any more."""
    if settings.database_url is None:
        raise ConfigError("environment: DATABASE_URL is missing")
    variables = {
        **environment(), "DATABASE_URL": settings.database_url.get_secret_value(),
        "TRACKER_CONFIG_DIR": str(settings.config_dir), "TRACKER_STRATEGIES_DIR": str(settings.strategies_dir),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.data_scheduler.parity_steps", *words,
        env=variables, stdout=asyncio.subprocess.PIPE, limit=LONGEST_LINE,
    )
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        async for line in process.stdout:
            yield orjson.loads(line)
    finally:
        if process.returncode is None:
            await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), END_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()

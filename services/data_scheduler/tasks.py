"""The tasks themselves: each goes on until it is through or its slice is over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random
from tracker.domain.clock import Clock
from tracker.runtime.maintenance_rules import MaintenanceRules, TaskName
from tracker.store.archive import MonthInUseError, Purpose, make_months, read_months
from tracker.store.database import Database, Transaction
from tracker.store.forgetting import forget_labels, forget_predictions
from tracker.store.maintenance import (
    analyze_table,
    forget_rows,
    read_aggregates,
    read_event_time,
    read_tables,
    refresh_aggregate,
)
from tracker.store.parity_reports import forget_reports

from services.data_scheduler.parity import NightlyParity
from services.data_scheduler.rewriting import Rewriter
from services.data_scheduler.schedule import archivable, clusterable, months_before
from services.data_scheduler.settings import SchedulerSettings
from services.data_scheduler.slices import Outcome, Slice, Tell

PARITY_REPORTS = "parity_reports"
LABELS = "strategy_labels"
PREDICTIONS = "predictions"
# How often a moment is looked for in which no bars are written.
ATTEMPTS = 10
# These work on whole months of bars: one of them at a time.
MONTHLY = frozenset({TaskName.CLUSTER_CLOSED_MONTHS, TaskName.ARCHIVE_MONTHS})


class Tasks:
    """What can be done to the database; `tell` hears in words how far it is."""

    def __init__(
        self, database: Database, rules: MaintenanceRules, settings: SchedulerSettings, clock: Clock, tell: Tell
    ) -> None:
        """Nothing is asked of the database yet."""
        self._database = database
        self._rules = rules
        self._clock = clock
        self._tell = tell
        self._patience = timedelta(seconds=rules.months.lock_patience_seconds)
        self._parity = NightlyParity(database, rules.parity, settings, clock, tell)

    async def run(self, task: TaskName, time: Slice, earlier: Mapping[str, Any]) -> Outcome:
        """Do a task; `earlier` is the result of its last slice where that was not the last one."""
        match task:
            case TaskName.MAKE_PARTITIONS:
                return await self._make_partitions()
            case TaskName.REFRESH_AGGREGATES:
                return await self._each(await self._names(read_aggregates), refresh_aggregate, time, earlier)
            case TaskName.CLUSTER_CLOSED_MONTHS:
                return await self._cluster(time)
            case TaskName.ARCHIVE_MONTHS:
                return await self._archive(time)
            case TaskName.RETENTION:
                return await self._forget(time)
            case TaskName.ANALYZE:
                return await self._each(await self._names(read_tables), analyze_table, time, earlier)
            case TaskName.NIGHTLY_PARITY:
                return await self._parity.run(time)

    async def _make_partitions(self) -> Outcome:
        event_time = await self._event_time()
        if event_time is None:
            return Outcome(result={"made": 0})
        # Never from an older month on: one that lies in the archive would be taken back from there.
        last = months_before(event_time, -self._rules.months.ahead)
        made = 0
        # Between the many writers of a first start a moment is found by asking often, not by having all wait for long.
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(MonthInUseError), stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random(0.2, 1.0), reraise=True,
        ):
            with attempt:
                async with self._database.transaction() as transaction:
                    made = await make_months(transaction, event_time, last, self._patience)
                    await transaction.commit()
        return Outcome(result={"made": made, "through": f"{last:%Y-%m}"})

    async def _cluster(self, time: Slice) -> Outcome:
        event_time = await self._event_time()
        if event_time is None:
            return Outcome(result={"months": []})
        months = self._rules.months
        async with self._database.transaction() as transaction:
            found = await read_months(transaction)
        chosen = clusterable(found, event_time, timedelta(days=months.settle_days), months.archive_after_months)
        return await Rewriter(self._database, Purpose.CLUSTER, self._patience, self._tell).rewrite(chosen, time)

    async def _archive(self, time: Slice) -> Outcome:
        event_time = await self._event_time()
        if event_time is None:
            return Outcome(result={"months": []})
        async with self._database.transaction() as transaction:
            found = await read_months(transaction)
        chosen = archivable(found, event_time, self._rules.months.archive_after_months)
        return await Rewriter(self._database, Purpose.ARCHIVE, self._patience, self._tell).rewrite(chosen, time)

    async def _forget(self, time: Slice) -> Outcome:
        """Delete in batches of their own transactions, so that space is used again while it goes on."""
        deleted: dict[str, int] = {}
        for table, before in (await self._limits()).items():
            deleted[table] = 0
            while True:
                async with self._database.transaction() as transaction:
                    count = await _forget(transaction, table, before, self._rules.retention.batch_rows)
                    await transaction.commit()
                deleted[table] += count
                if count < self._rules.retention.batch_rows:
                    break
                self._tell(f"{table}: {deleted[table]:,} rows deleted")
                if time.is_over:
                    return Outcome(result={"deleted": deleted}, unfinished=True)
        return Outcome(result={"deleted": deleted})

    async def _limits(self) -> dict[str, datetime]:
        """Return since when rows are kept: in event time where the table has that, else by the clock."""
        event_time, now, days = await self._event_time(), self._clock.now(), self._rules.retention
        limits = {
            "rejected_bars": now - timedelta(days=days.rejected_bars_days),
            "health_checks": now - timedelta(days=days.health_checks_days),
            "maintenance_runs": now - timedelta(days=days.maintenance_runs_days),
            PARITY_REPORTS: now - timedelta(days=days.parity_reports_days),
        }
        if event_time is not None:
            limits["scan_history"] = event_time - timedelta(days=days.scan_history_days)
            limits["ml_features"] = event_time - timedelta(days=days.ml_features_days)
            limits[LABELS] = event_time - timedelta(days=days.strategy_labels_days)
            limits[PREDICTIONS] = event_time - timedelta(days=days.predictions_days)
            limits["shadow_testing_scans"] = event_time - timedelta(days=days.shadow_scans_days)
            limits["shadow_testing_trades"] = event_time - timedelta(days=days.shadow_trades_days)
            limits["shadow_returns_1h"] = event_time - timedelta(days=days.shadow_hours_days)
            limits["shadow_returns_1d"] = event_time - timedelta(days=days.shadow_days_days)
        return limits

    async def _each(
        self,
        names: Sequence[str],
        work: Callable[[Transaction, str], Awaitable[None]],
        time: Slice,
        earlier: Mapping[str, Any],
    ) -> Outcome:
        """Do the same to each of `names`, a transaction each; those an earlier slice did are done."""
        seconds: dict[str, float] = dict(earlier.get("seconds", {}))
        for name in names:
            if name in seconds:
                continue
            begun = self._clock.monotonic()
            self._tell(name)
            async with self._database.transaction() as transaction:
                await work(transaction, name)
                await transaction.commit()
            seconds[name] = round(self._clock.monotonic() - begun, 3)
            if time.is_over and len(seconds) < len(names):
                return Outcome(result={"seconds": seconds}, unfinished=True)
        return Outcome(result={"seconds": seconds})

    async def _names(self, read: Callable[[Transaction], Awaitable[list[str]]]) -> list[str]:
        async with self._database.transaction() as transaction:
            return await read(transaction)

    async def _event_time(self) -> datetime | None:
        async with self._database.transaction() as transaction:
            return await read_event_time(transaction)


async def _forget(transaction: Transaction, table: str, before: datetime, at_most: int) -> int:
    if table == PARITY_REPORTS:
        return await forget_reports(transaction, before, at_most)
    if table == LABELS:
        return await forget_labels(transaction, before, at_most)
    if table == PREDICTIONS:
        return await forget_predictions(transaction, before, at_most)
    return await forget_rows(transaction, table, before, at_most)

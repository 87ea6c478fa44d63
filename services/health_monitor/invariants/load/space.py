"""There is room on the disk and in the database."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.load import SizeFacts, UpkeepFacts

from services.health_monitor.disk import DiskFacts
from services.health_monitor.invariants.base import Invariant, Observation, Verdict

MEGABYTE = 1_000_000
DAY_SECONDS = 86_400.0
# Of a shorter time nothing is foretold.
LEAST_SECONDS = 3_600.0


class DiskFree(Invariant):
    """There is room on the disk that this machine writes to."""

    name = "disk free"
    group = "load"
    severity = "critical"
    advice = "Postgres stops where it cannot write: free space, shorten retention, or take a larger volume"
    unit = "megabytes"
    settings = ("disk_path", "disk_free_limit_mb")

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(DiskFacts), seen.settings.disk_free_limit_mb
        free = facts.free_bytes / MEGABYTE
        yield Verdict(
            observed=f"{free:,.0f} MB of {facts.total_bytes / MEGABYTE:,.0f} MB at {facts.path}",
            limit=f"{limit:,.0f} MB", ok=free >= limit, value=free,
        )  # fmt: skip


class DatabaseSize(Invariant):
    """The database is smaller than what it is given."""

    name = "database size"
    group = "load"
    severity = "critical"
    advice = "retention in data_scheduler's settings says what is forgotten when; or raise the plan and the limit"
    unit = "megabytes"
    settings = ("database_limit_mb",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        size, limit = seen.of(SizeFacts).database_bytes / MEGABYTE, seen.settings.database_limit_mb
        yield Verdict(observed=f"{size:,.0f} MB", limit=f"{limit:,.0f} MB", ok=size <= limit, value=size)


class DatabaseGrowth(Invariant):
    """As the database grew over the last week, it is not full within days."""

    name = "database growth"
    group = "load"
    severity = "warning"
    advice = "see `largest table` for what grows; shorten its retention, or raise the plan in time"
    unit = "days until full"
    settings = ("database_limit_mb", "full_limit_days")

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(SizeFacts), seen.settings.full_limit_days
        age = facts.age(facts.sampled_at) or 0.0
        if facts.sampled_bytes is None or age < LEAST_SECONDS:
            yield Verdict(observed="too young to say", limit=f"{limit:g} days", ok=True)
            return
        a_day = (facts.database_bytes - facts.sampled_bytes) / age * DAY_SECONDS
        room = seen.settings.database_limit_mb * MEGABYTE - facts.database_bytes
        days = room / a_day if a_day > 0 else None
        words = f"{a_day / MEGABYTE:+,.1f} MB a day"
        yield Verdict(
            observed=words if days is None else f"{words}, full in {days:,.1f} days", limit=f"{limit:g} days",
            ok=days is None or days >= limit, value=days,
        )  # fmt: skip


class TablesBounded(Invariant):
    """No table but those of bars grows beyond all measure: what is old is forgotten."""

    name = "largest table"
    group = "load"
    severity = "warning"
    advice = "`tracker maintain` has the tasks that forget: the one of this table does not run, or keeps too long"
    unit = "megabytes"
    settings = ("table_limit_mb",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(SizeFacts), seen.settings.table_limit_mb
        size = facts.largest_bytes / MEGABYTE
        yield Verdict(
            observed=f"{facts.largest}: {size:,.1f} MB", limit=f"{limit:,g} MB", ok=size <= limit, value=size
        )


class LogNotKept(Invariant):
    """No replication slot keeps the write-ahead log from being thrown away."""

    name = "kept write-ahead log"
    group = "load"
    severity = "critical"
    advice = "its reader has stopped and the disk fills: wake it, or SELECT pg_drop_replication_slot('NAME')"
    unit = "megabytes"
    settings = ("kept_log_limit_mb",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(UpkeepFacts), seen.settings.kept_log_limit_mb
        size = facts.slot_bytes / MEGABYTE
        yield Verdict(
            observed="no slot" if facts.slot is None else f"{size:,.1f} MB for {facts.slot}", limit=f"{limit:,g} MB",
            ok=size <= limit, value=size,
        )  # fmt: skip

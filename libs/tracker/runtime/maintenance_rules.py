"""What is done to keep the database in order, and when: configs/data_scheduler.toml."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tracker.runtime.config import load_toml

FILE = "data_scheduler.toml"


class TaskName(StrEnum):
    """The tasks, in the order in which those that are due at the same time run."""

    MAKE_PARTITIONS = "make_partitions"
    REFRESH_AGGREGATES = "refresh_aggregates"
    CLUSTER_CLOSED_MONTHS = "cluster_closed_months"
    ARCHIVE_MONTHS = "archive_months"
    RETENTION = "retention"
    ANALYZE = "analyze"
    NIGHTLY_PARITY = "nightly_parity"

    @property
    def purpose(self) -> str:
        """What the task is for, in a few words."""
        return _PURPOSES[self]


_PURPOSES: Mapping[TaskName, str] = {
    TaskName.MAKE_PARTITIONS: "the tables of the months ahead",
    TaskName.REFRESH_AGGREGATES: "the materialized views anew",
    TaskName.CLUSTER_CLOSED_MONTHS: "each closed month once into the order of its key",
    TaskName.ARCHIVE_MONTHS: "old months of bars into ohlc_archive, verified",
    TaskName.RETENTION: "what is older than its days is deleted",
    TaskName.ANALYZE: "the planner's statistics of all tables",
    TaskName.NIGHTLY_PARITY: "yesterday's decisions and the ledger once more, from the stored bars",
}


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Schedule(_Rules):
    """Every so many minutes, or once a day at a time of UTC."""

    every_minutes: float | None = Field(default=None, gt=0)
    daily_at: time | None = None

    @model_validator(mode="after")
    def _check_kind(self) -> Schedule:
        if (self.every_minutes is None) == (self.daily_at is None):
            raise ValueError("give every_minutes or daily_at, one of them")
        if self.daily_at is not None and self.daily_at.tzinfo is not None:
            raise ValueError("daily_at is a time of UTC without a zone, such as 03:10")
        return self

    def is_due(self, now: datetime, succeeded_at: datetime | None) -> bool:
        """Tell whether a task that last succeeded in a run begun at `succeeded_at` is to run; None: it never did."""
        if succeeded_at is None:
            return True
        if self.every_minutes is not None:
            return now - succeeded_at >= timedelta(minutes=self.every_minutes)
        assert self.daily_at is not None  # noqa: S101 - the validator's word
        today = datetime.combine(now.astimezone(UTC).date(), self.daily_at, UTC)
        return succeeded_at < (today if today <= now else today - timedelta(days=1))

    def __str__(self) -> str:
        """Say it in words."""
        if self.every_minutes is not None:
            return f"every {self.every_minutes:g} min"
        return f"daily at {self.daily_at:%H:%M} UTC"


class Retry(_Rules):
    """Waits after failures: doubling from the first, in seconds."""

    first_seconds: float = Field(gt=0)
    longest_seconds: float = Field(gt=0)
    alarm_after: int = Field(ge=1)

    def wait(self, failures: int) -> timedelta:
        """Return how long to wait after so many failures in a row."""
        # Beyond a few dozen the power would be no float any more.
        return timedelta(seconds=min(self.first_seconds * 2.0 ** min(failures - 1, 60), self.longest_seconds))


class Months(_Rules):
    """How the monthly tables of bars are kept."""

    ahead: int = Field(ge=0, le=24)
    settle_days: float = Field(ge=0)
    archive_after_months: int = Field(ge=1)
    lock_patience_seconds: float = Field(gt=0)


class Retention(_Rules):
    """Days after which rows are deleted."""

    batch_rows: int = Field(ge=1)
    scan_history_days: float = Field(gt=0)
    ml_features_days: float = Field(gt=0)
    strategy_labels_days: float = Field(gt=0)
    predictions_days: float = Field(gt=0)
    rejected_bars_days: float = Field(gt=0)
    health_checks_days: float = Field(gt=0)
    maintenance_runs_days: float = Field(gt=0)
    shadow_scans_days: float = Field(gt=0)
    shadow_trades_days: float = Field(gt=0)
    # A window of 30 days is judged by the hour, and its first hour must still be there.
    shadow_hours_days: float = Field(ge=31)
    shadow_days_days: float = Field(gt=0)
    parity_reports_days: float = Field(gt=0)


class ParityRules(_Rules):
    """How far back decisions are taken again where nights were missed, and how much of what differs is kept."""

    longest_days: int = Field(ge=1)
    differences_kept: int = Field(ge=1)


class MaintenanceRules(_Rules):
    """The whole file."""

    slice_seconds: float = Field(ge=0)
    months: Months
    retention: Retention
    retry: Retry
    parity: ParityRules
    schedule: Mapping[TaskName, Schedule]

    @model_validator(mode="after")
    def _check_schedule(self) -> MaintenanceRules:
        missing = [task.value for task in TaskName if task not in self.schedule]
        if missing:
            raise ValueError(f"schedule: {missing[0]} is missing")
        return self


def load_maintenance_rules(config_dir: Path) -> MaintenanceRules:
    """Read data_scheduler.toml.

    Raises ConfigError naming file, field and value.
    """
    return load_toml(config_dir / FILE, MaintenanceRules)

"""When reports are made and what is alerted: configs/slack_reporter.toml."""

from __future__ import annotations

from datetime import time, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tracker.runtime.config import load_toml
from tracker.runtime.retry import Policy

FILE = "slack_reporter.toml"


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Weekday(StrEnum):
    """The days of a week in the order of date.weekday()."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"

    @property
    def number(self) -> int:
        """0 for Monday."""
        return list(Weekday).index(self)


class ReportRules(_Rules):
    """The timetable, in wall time of one zone."""

    zone: str
    morning: time
    evening: time
    weekly_day: Weekday
    account: str
    late_after_minutes: float = Field(gt=0)
    keep_days: float = Field(ge=1)

    @field_validator("zone")
    @classmethod
    def _check_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("it is no IANA time zone, such as Europe/Berlin") from None
        return value

    @model_validator(mode="after")
    def _check_order(self) -> ReportRules:
        if self.morning.tzinfo is not None or self.evening.tzinfo is not None:
            raise ValueError("morning and evening are times without a zone, such as 09:00")
        if self.morning >= self.evening:
            raise ValueError("morning comes before evening")
        return self

    @property
    def timezone(self) -> ZoneInfo:
        """The zone."""
        return ZoneInfo(self.zone)

    @property
    def late_after(self) -> timedelta:
        """How long after its time a report counts as late."""
        return timedelta(minutes=self.late_after_minutes)


class BadSeconds(_Rules):
    """How long a fact must be bad before it is told, by severity."""

    critical: float = Field(ge=0)
    warning: float = Field(ge=0)


class AlertRules(_Rules):
    """When a fact is told, and when it is over."""

    look_seconds: float = Field(gt=0)
    bad_seconds: BadSeconds
    good_seconds: float = Field(ge=0)
    cool_down_minutes: float = Field(ge=0)
    remind_hours: float = Field(gt=0)
    storm_alerts: int = Field(ge=1)
    storm_seconds: float = Field(gt=0)
    monitor_limit_seconds: float = Field(gt=0)
    quiet: tuple[str, ...] = ()

    def bad_for(self, severity: str) -> timedelta:
        """Return how long a fact of a severity must be bad before it is told."""
        critical = severity == "critical"
        return timedelta(seconds=self.bad_seconds.critical if critical else self.bad_seconds.warning)

    def is_quiet(self, name: str) -> bool:
        """Tell whether a fact is never alerted."""
        return any(fnmatchcase(name, pattern) for pattern in self.quiet)


class DeliveryRules(_Rules):
    """How messages are handed over, and when that is given up."""

    pace_seconds: float = Field(ge=0)
    timeout_seconds: float = Field(gt=0)
    verify_seconds: float = Field(ge=0)
    retry_first_seconds: float = Field(gt=0)
    retry_longest_seconds: float = Field(gt=0)
    breaker_failures: int = Field(ge=1)
    breaker_cool_down_seconds: float = Field(gt=0)
    give_up_hours: float = Field(gt=0)
    resume_hours: float = Field(ge=0)

    @property
    def policy(self) -> Policy:
        """How Slack is tried again after it failed."""
        return Policy(
            initial_seconds=self.retry_first_seconds,
            longest_seconds=self.retry_longest_seconds,
            failures=self.breaker_failures,
            cool_down_seconds=self.breaker_cool_down_seconds,
        )


class ReportingRules(_Rules):
    """The whole file."""

    reports: ReportRules
    alerts: AlertRules
    delivery: DeliveryRules


def load_reporting_rules(config_dir: Path) -> ReportingRules:
    """Read slack_reporter.toml.

    Raises ConfigError naming file, field and value.
    """
    return load_toml(config_dir / FILE, ReportingRules)

"""When models are trained and watched, and what that may take: configs/ml_retrainer.toml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tracker.domain.job import JobKind, Work
from tracker.runtime.config import load_toml
from tracker.runtime.maintenance_rules import Schedule

FILE = "ml_retrainer.toml"


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RetryRules(_Rules):
    """How often a job is tried, and how long to wait after failures: doubling from the first, in seconds."""

    first_seconds: float = Field(gt=0)
    longest_seconds: float = Field(gt=0)
    tries: int = Field(ge=1)

    def wait(self, failures: int) -> timedelta:
        """Return how long to wait after so many failures in a row."""
        # Beyond a few dozen the power would be no float any more.
        return timedelta(seconds=min(self.first_seconds * 2.0 ** min(failures - 1, 60), self.longest_seconds))


class BreachRules(_Rules):
    """When a model that no longer does what was promised is trained anew."""

    train_again_hours: float = Field(ge=0)


class RetrainingRules(_Rules):
    """The whole file; work that has no schedule is not done at all."""

    strategies: tuple[str, ...] = Field(min_length=1)
    memory_limit_mb: int = Field(ge=128)
    keep_days: float = Field(gt=0)
    schedule: Mapping[JobKind, Schedule]
    breach: BreachRules
    retry: RetryRules
    longest_minutes: Mapping[JobKind, float]

    @model_validator(mode="after")
    def _check_complete(self) -> RetrainingRules:
        missing = [kind.value for kind in self.schedule if kind not in self.longest_minutes]
        if missing:
            raise ValueError(f"longest_minutes: {missing[0]} is missing, which is in [schedule]")
        if min(self.longest_minutes.values()) <= 0:
            raise ValueError("longest_minutes: each must be above 0")
        if len(set(self.strategies)) < len(self.strategies):
            raise ValueError("strategies: one is named twice")
        return self

    def due(self, now: datetime, started: Mapping[tuple[str, str], datetime]) -> Iterator[Work]:
        """Yield what is to be queued; `started`: by kind and strategy when it was last tried."""
        for kind in (each for each in JobKind if each in self.schedule):
            for strategy in self.strategies:
                if self.schedule[kind].is_due(now, started.get((kind.value, strategy))):
                    yield Work(kind=kind, strategy=strategy, reason=f"schedule: {self.schedule[kind]}")


def refusal(rules: RetrainingRules, kind: JobKind, strategy: str | None) -> str | None:
    """Return why work that is asked for is not done, None where it is; `strategy` None is all."""
    if kind not in rules.schedule:
        return f"{kind.value} is not in [schedule] of {FILE}, and is not done here"
    if strategy is not None and strategy not in rules.strategies:
        return f"strategy: {strategy!r} is not one of {', '.join(rules.strategies)} of {FILE}"
    return None


def load_retraining_rules(config_dir: Path) -> RetrainingRules:
    """Read ml_retrainer.toml.

    Raises ConfigError naming file, field and value.
    """
    return load_toml(config_dir / FILE, RetrainingRules)

"""What the data scheduler can be told."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict
from tracker.runtime.settings import ServiceSettings


class SchedulerSettings(ServiceSettings):
    """Environment of the data scheduler: DATA_SCHEDULER_*; the rules are in data_scheduler.toml."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, populate_by_name=True, env_prefix="DATA_SCHEDULER_"
    )

    lease_seconds: float = Field(default=30, gt=0, description="after which a standby acts for one that is gone")
    wait_seconds: float = Field(default=60, ge=0, description="how long work by hand waits for the service's")

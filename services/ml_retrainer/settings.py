"""What the retrainer can be told."""

from __future__ import annotations

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict
from tracker.runtime.settings import ServiceSettings


class RetrainerSettings(ServiceSettings):
    """Environment of the retrainer: ML_RETRAINER_*; what is done when is in ml_retrainer.toml."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, populate_by_name=True, env_prefix="ML_RETRAINER_"
    )

    poll_seconds: float = Field(default=3.0, gt=0, validation_alias=AliasChoices("POLL_SECONDS"))
    lease_seconds: float = Field(default=30, gt=0, description="after which a standby works for one that is gone")
    end_seconds: float = Field(default=8, gt=0, description="how long a worker that is told to end may take")

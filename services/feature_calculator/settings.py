"""What the feature calculator can be told."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict
from tracker.runtime.settings import ServiceSettings


class FeatureSettings(ServiceSettings):
    """Environment of the feature calculator: FEATURE_CALCULATOR_*."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, populate_by_name=True, env_prefix="FEATURE_CALCULATOR_"
    )

    lookback_hours: float = Field(
        default=24, ge=0, description="features before the first live bar, for context and charts"
    )
    closes_per_run: int = Field(default=200, ge=1, description="closes computed in one transaction")

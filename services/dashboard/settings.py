"""What the dashboard can be told."""

from __future__ import annotations

from pydantic import AliasChoices, Field
from pydantic_settings import SettingsConfigDict
from tracker.runtime.settings import ServiceSettings


class DashboardSettings(ServiceSettings):
    """Environment of the dashboard: DASHBOARD_*."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, populate_by_name=True, env_prefix="DASHBOARD_"
    )

    source: str = Field(default="polygon", validation_alias=AliasChoices("TRACKER_SOURCE"))
    account: str = "paper"
    open_to_network: bool = Field(
        default=False, description="serve without a sign-in beyond loopback; the page only reads"
    )

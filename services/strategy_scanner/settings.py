"""What a strategy scanner can be told."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict
from tracker.runtime.settings import ServiceSettings


class ScannerSettings(ServiceSettings):
    """Environment of the scanners: STRATEGY_SCANNER_*."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, populate_by_name=True, env_prefix="STRATEGY_SCANNER_"
    )

    closes_per_run: int = Field(default=200, ge=1, description="closes scanned in one transaction")

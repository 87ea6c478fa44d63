"""What the shadow tester can be told."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict
from tracker.runtime.settings import ServiceSettings


class ShadowTesterSettings(ServiceSettings):
    """Environment of the shadow tester: SHADOW_TESTER_*; the variations are in shadow.toml."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, populate_by_name=True, env_prefix="SHADOW_TESTER_"
    )

    lease_seconds: float = Field(default=30, gt=0, description="after which a standby works for one that is gone")
    closes_per_run: int = Field(default=16, ge=1, description="closes tried in one transaction")
    linger_seconds: float = Field(default=1, ge=0, description="how long the worker waits for another close")

"""What the dashboard can be told."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict
from tracker.runtime.settings import PROJECT_ROOT, ServiceSettings

Names = Annotated[tuple[str, ...], NoDecode]


def _own_domain() -> tuple[str, ...]:
    domain = os.environ.get("RAILWAY_PUBLIC_DOMAIN", "")
    return (domain,) if domain else ()


class DashboardSettings(ServiceSettings):
    """Environment of the dashboard: DASHBOARD_*, and SUPABASE_URL with SUPABASE_ANON_KEY."""

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, populate_by_name=True, env_prefix="DASHBOARD_"
    )

    source: str = Field(default="polygon", validation_alias=AliasChoices("TRACKER_SOURCE"))
    account: str = "paper"
    state_dir: Path = Field(default=PROJECT_ROOT / ".data", validation_alias=AliasChoices("TRACKER_STATE_DIR"))
    password: SecretStr | None = Field(default=None, description="signs in; without one nothing can be commanded")
    supabase_url: str | None = Field(default=None, validation_alias=AliasChoices("SUPABASE_URL"))
    supabase_anon_key: SecretStr | None = Field(default=None, validation_alias=AliasChoices("SUPABASE_ANON_KEY"))
    allowed_emails: Names = Field(default=(), description="who may sign in by Supabase, separated by commas")
    session_secret: SecretStr | None = Field(
        default=None, description="signs the sessions; without one they end when the dashboard starts again"
    )
    session_hours: float = Field(default=12.0, gt=0, le=24 * 30)
    hosts: Names = Field(
        default_factory=_own_domain, description="names it is reached by beside loopback, separated by commas"
    )
    behind_proxy: bool = Field(
        default_factory=lambda: "RAILWAY_ENVIRONMENT" in os.environ,
        description="addresses and https are told by a proxy before it, in X-Forwarded-For and X-Forwarded-Proto",
    )

    @field_validator("allowed_emails", "hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(each.strip().lower() for each in value.split(",") if each.strip())

    @field_validator("password", "session_secret", "supabase_anon_key", mode="after")
    @classmethod
    def _no_empty_secret(cls, value: SecretStr | None) -> SecretStr | None:
        return value if value and value.get_secret_value() else None

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the page."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

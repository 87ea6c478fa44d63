"""Settings read from the environment; the only module that may look at it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tracker.domain.errors import ConfigError
from tracker.runtime.retry import Policy

S = TypeVar("S", bound=BaseSettings)

PROJECT_ROOT = Path(__file__).resolve().parents[3]


def environment() -> dict[str, str]:
    """Return a copy of the process environment, for handing on to a child process."""
    return dict(os.environ)


def _default_host() -> str:
    # Railway's private network may be IPv6 only; on a desk nothing should listen beyond loopback.
    return "::" if "RAILWAY_ENVIRONMENT" in os.environ else "127.0.0.1"


class ServiceSettings(BaseSettings):
    """What every service needs; each service adds its own fields with its own prefix."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    database_url: SecretStr | None = Field(default=None, validation_alias=AliasChoices("DATABASE_URL"))
    host: str = Field(default_factory=_default_host, validation_alias=AliasChoices("HOST"))
    port: int = Field(default=8800, ge=0, le=65_535, validation_alias=AliasChoices("PORT"))
    database_retry_initial_seconds: float = Field(
        default=0.5, gt=0, validation_alias=AliasChoices("DATABASE_RETRY_INITIAL_SECONDS")
    )
    database_retry_longest_seconds: float = Field(
        default=10.0, gt=0, validation_alias=AliasChoices("DATABASE_RETRY_LONGEST_SECONDS")
    )
    database_breaker_failures: int = Field(
        default=8, ge=1, validation_alias=AliasChoices("DATABASE_BREAKER_FAILURES")
    )
    database_breaker_cool_down_seconds: float = Field(
        default=5.0, gt=0, validation_alias=AliasChoices("DATABASE_BREAKER_COOL_DOWN_SECONDS")
    )
    log_level: str = Field(default="INFO", validation_alias=AliasChoices("LOG_LEVEL"))
    pool_size: int = Field(default=2, ge=1, validation_alias=AliasChoices("DATABASE_POOL_SIZE"))
    poll_seconds: float = Field(default=1.0, gt=0, validation_alias=AliasChoices("POLL_SECONDS"))
    heartbeat_seconds: float = Field(default=5.0, gt=0, validation_alias=AliasChoices("HEARTBEAT_SECONDS"))
    supervised: bool = Field(default=False, validation_alias=AliasChoices("TRACKER_SUPERVISED"))
    config_dir: Path = Field(
        default=PROJECT_ROOT / "configs", validation_alias=AliasChoices("TRACKER_CONFIG_DIR")
    )
    strategies_dir: Path = Field(
        default=PROJECT_ROOT / "strategies", validation_alias=AliasChoices("TRACKER_STRATEGIES_DIR")
    )

    @property
    def database_policy(self) -> Policy:
        """How the loop tries again after the database failed."""
        return Policy(
            initial_seconds=self.database_retry_initial_seconds,
            longest_seconds=self.database_retry_longest_seconds,
            failures=self.database_breaker_failures,
            cool_down_seconds=self.database_breaker_cool_down_seconds,
        )


def load_settings(kind: type[S], overrides: Mapping[str, Any] | None = None) -> S:
    """Build settings from the environment, `overrides` winning.

    Raises ConfigError naming the variable and its value.
    """
    try:
        return kind(**dict(overrides or {}))
    except ValidationError as error:
        raise ConfigError(describe("environment", error)) from None


def describe(source: str, error: ValidationError) -> str:
    """Say in one sentence what is wrong: source, field, value, reason."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "(top level)"
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return f"{source}: unknown key {field} = {first['input']!r}"
    if first["type"] in ("missing", "missing_argument", "missing_keyword_only_argument"):
        return f"{source}: {field} is missing"
    return f"{source}: {field} = {_shown(first['input'])}: {first['msg'].removeprefix('Value error, ')}"


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "(secret)"
    return value.isoformat() if isinstance(value, date) else repr(value)

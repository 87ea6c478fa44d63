"""What the paper trader can be told."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainValidator
from pydantic_settings import NoDecode, SettingsConfigDict
from tracker.domain.signal import Strategy
from tracker.runtime.settings import ServiceSettings


def _split(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _names(value: Any) -> tuple[Strategy, ...] | None:
    parts = _split(value)
    return None if parts is None else tuple(Strategy(part) for part in parts)


def _unlimited(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip().lower() in ("", "none") else value


class PaperTraderSettings(ServiceSettings):
    """Environment of the paper trader: PAPER_TRADER_*.

    `strategies` is a comma-separated list of those whose scans are waited for, by default all that have a scanner in
    configs/fleet.toml. `signal_grace_seconds` is how
    long a scanner may stand still before minutes are processed without it; 'none' waits for ever.
    """

    model_config = SettingsConfigDict(
        extra="ignore", frozen=True, populate_by_name=True, env_prefix="PAPER_TRADER_"
    )

    strategies: Annotated[tuple[Strategy, ...] | None, NoDecode, PlainValidator(_names)] = None
    signal_grace_seconds: Annotated[Annotated[float, Field(gt=0)] | None, BeforeValidator(_unlimited)] = 120.0
    batch_minutes: int = Field(default=720, ge=1, description="event minutes processed in one transaction")

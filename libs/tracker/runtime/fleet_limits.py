"""What configs/fleet.toml allows the services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tracker.runtime.config import read_toml


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetLimits:
    """Connections that the whole fleet may hold, and by service the memory it is expected to need, in megabytes."""

    connection_budget: int
    memory_mb: Mapping[str, int]


@cache
def fleet_limits(config_dir: Path) -> FleetLimits:
    """Return what the table of services allows; raises ConfigError where it cannot be read."""
    table = read_toml(config_dir / "fleet.toml")
    return FleetLimits(
        connection_budget=int(table["connection_budget"]),
        memory_mb={str(each["name"]): int(each["memory_mb"]) for each in table["service"]},
    )

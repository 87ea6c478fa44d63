"""The one table of services, configs/fleet.toml."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator
from tracker.domain.errors import ConfigError, InputError
from tracker.runtime.config import load_toml
from tracker.runtime.settings import PROJECT_ROOT

FLEET_FILE = PROJECT_ROOT / "configs" / "fleet.toml"
# The database is supervised like a service, but only where DATABASE_URL names no other.
POSTGRES = "postgres"
LISTENERS_PER_SERVICE = 1

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Restart(StrEnum):
    """When a service that ended is started again."""

    ALWAYS = "always"
    ON_FAILURE = "on_failure"
    NEVER = "never"


class FleetService(BaseModel):
    """One process; `memory_mb` is what it is expected to need, `pool_size` its database connections.

    `started_connections` are those of the processes that it starts, which only one replica does at a time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    module: str = Field(pattern=r"^services\.[a-z_]+$")
    arguments: tuple[Annotated[str, Field(pattern=r"^[\w./=-]+$")], ...] = ()
    port: int = Field(ge=1024, le=65_535)
    health_path: str = Field(pattern=r"^/[a-z]+$")
    restart: Restart
    memory_mb: int = Field(gt=0)
    pool_size: int = Field(ge=0)
    listens: bool = True
    started_connections: int = Field(default=0, ge=0)
    role: Name | None = None
    secrets: tuple[Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")], ...] = ()
    environment: Mapping[
        Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")], Annotated[str, Field(pattern=r"^[\w./:=-]+$")]
    ] = Field(default_factory=dict[str, str])
    development_only: bool = False

    @model_validator(mode="after")
    def _check_database(self) -> FleetService:
        if self.name == POSTGRES:
            raise ValueError(f"{POSTGRES} is the name of the embedded database")
        if (self.role is None) != (self.pool_size == 0):
            raise ValueError(f"{self.name}: a role needs a pool_size above 0, and a pool_size needs a role")
        return self

    @property
    def connections(self) -> int:
        """Database connections the service may hold at most, without those of the processes that it starts."""
        return 0 if self.role is None else self.pool_size + LISTENERS_PER_SERVICE * self.listens

    @property
    def command(self) -> tuple[str, ...]:
        """Arguments to the Python interpreter."""
        return ("-m", self.module, *self.arguments)

    @property
    def port_variable(self) -> str:
        """Environment variable by which the local supervisor is told the service's port."""
        return f"TRACKER_PORT_{self.name.upper()}"


class Railway(BaseModel):
    """What all services share on Railway."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: str = Field(min_length=1)
    repository: str = Field(default="", pattern=r"^([\w.-]+/[\w.-]+)?$")
    python_version: str = Field(pattern=r"^3\.\d+$")
    draining_seconds: int = Field(ge=1)
    overlap_seconds: int = Field(ge=0)
    healthcheck_timeout_seconds: int = Field(ge=1)
    migrates_with: Name


class Fleet(BaseModel):
    """All services, in the order in which they start."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connection_budget: int = Field(gt=0)
    railway: Railway
    service: tuple[FleetService, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_table(self) -> Fleet:
        for what in ("name", "port"):
            values = [getattr(each, what) for each in self.service]
            twice = next((value for value in values if values.count(value) > 1), None)
            if twice is not None:
                raise ValueError(f"the {what} {twice} is given to two services")
        if self.connections > self.connection_budget:
            raise ValueError(
                f"the services may hold {self.connections} database connections,"
                f" connection_budget is {self.connection_budget}"
            )
        if self.railway.migrates_with not in {each.name for each in self.deployed}:
            raise ValueError(f"railway.migrates_with names no deployed service: {self.railway.migrates_with}")
        return self

    @property
    def connections(self) -> int:
        """Database connections the whole fleet may hold at most; half of those of a deploy, when all run twice.

        What services start runs under a lease, and so never twice.
        """
        started = sum(each.started_connections for each in self.service)
        return sum(each.connections for each in self.service) + math.ceil(started / 2)

    @property
    def deployed(self) -> tuple[FleetService, ...]:
        """The services that run in production."""
        return tuple(each for each in self.service if not each.development_only)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all services, in order."""
        return tuple(each.name for each in self.service)

    def named(self, name: str) -> FleetService:
        """Return the service called `name`; raises InputError."""
        return self.chosen([name])[0]

    def chosen(self, names: Collection[str]) -> tuple[FleetService, ...]:
        """Return the named services in the table's order; raises InputError for an unknown name."""
        unknown = sorted(set(names) - set(self.names))
        if unknown:
            raise InputError(f"there is no service {unknown[0]!r}; known are {', '.join(self.names)}")
        return tuple(each for each in self.service if each.name in names)

    def ports(self, environment: Mapping[str, str]) -> dict[str, int]:
        """Return each service's port; TRACKER_PORT_<NAME> in `environment` wins over the table.

        Raises ConfigError naming the variable and its value.
        """
        ports: dict[str, int] = {}
        for each in self.service:
            text = environment.get(each.port_variable, str(each.port))
            if not text.isdigit() or not 1 <= int(text) <= 65_535:
                raise ConfigError(f"environment: {each.port_variable} = {text!r} is not a port")
            ports[each.name] = int(text)
        return ports


def load_fleet(path: Path = FLEET_FILE) -> Fleet:
    """Read the table.

    Raises ConfigError naming file, field and value.
    """
    return load_toml(path, Fleet)

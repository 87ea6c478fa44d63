"""How the stand-in exchange is told what to do: environment and command line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode
from tracker.runtime.settings import ServiceSettings

from services.market_simulator.hub import OverCap

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d+)([smhd]?)", value.strip())
    if match is None:
        raise ValueError("must be a number with s, m, h or d, such as 6h")
    return int(match[1]) * _UNITS[match[2] or "s"]


def _names(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(name.strip() for name in value.split(",") if name.strip())


def _clock(value: str) -> str:
    if re.fullmatch(r"real|paced|\d+(\.\d+)?x", value) is None:
        raise ValueError("must be real, paced or a speed such as 60x")
    if value.endswith("x") and float(value[:-1]) <= 0:
        raise ValueError("a speed must be above 0x")
    return value


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _env(name: str) -> AliasChoices:
    return AliasChoices(f"MARKET_SIMULATOR_{name}")


class MarketSimulatorSettings(ServiceSettings):
    """Settings of the exchange; without `candles` it invents its market."""

    port: int = Field(default=8790, ge=0, le=65_535, validation_alias=AliasChoices("PORT"))
    candles: Path | None = Field(default=None, validation_alias=_env("CANDLES"))
    symbols: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = Field(
        default=(), validation_alias=_env("SYMBOLS")
    )
    catch_up: Annotated[int, BeforeValidator(_seconds)] = Field(
        default=0, ge=0, validation_alias=_env("CATCH_UP")
    )
    seed: int | None = Field(default=None, ge=0, validation_alias=_env("SEED"))
    edge: float | None = Field(default=None, ge=0, validation_alias=_env("EDGE"))
    edge_cycles: int | None = Field(default=None, validation_alias=_env("EDGE_CYCLES"))
    edge_first_day: date | None = Field(default=None, validation_alias=_env("EDGE_FIRST_DAY"))
    edge_last_day: date | None = Field(default=None, validation_alias=_env("EDGE_LAST_DAY"))
    clock: Annotated[str, AfterValidator(_clock)] = Field(default="real", validation_alias=_env("CLOCK"))
    start: Annotated[datetime | None, BeforeValidator(_moment)] = Field(
        default=None, validation_alias=_env("START")
    )
    api_key: SecretStr | None = Field(default=None, validation_alias=_env("API_KEY"))
    over_cap: OverCap = Field(default="evict", validation_alias=_env("OVER_CAP"))
    auth_seconds: float = Field(default=10.0, gt=0, validation_alias=_env("AUTH_SECONDS"))
    fault_seed: int | None = Field(default=None, ge=0, validation_alias=_env("FAULT_SEED"))
    fault_hours: float = Field(default=2.0, gt=0, le=1_000, validation_alias=_env("FAULT_HOURS"))
    faults_per_hour: float = Field(default=30.0, gt=0, le=600, validation_alias=_env("FAULTS_PER_HOUR"))

    @model_validator(mode="after")
    def _check_script(self) -> Self:
        if self.fault_seed is not None and self.clock == "paced" and self.start is None:
            raise ValueError("a fault script on a paced clock needs to know its start")
        return self


def command_line(arguments: Sequence[str]) -> dict[str, Any]:
    """Return the settings given on the command line; they win over the environment."""
    parser = argparse.ArgumentParser(
        prog="python -m services.market_simulator", argument_default=argparse.SUPPRESS,
        description="A stand-in exchange that speaks the Polygon protocol over WebSocket and REST.",
        epilog="Every option may also be given as environment variable MARKET_SIMULATOR_NAME"
        " (host and port as HOST and PORT).",
    )
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", help="port to listen on, 0 for any that is free")
    parser.add_argument("--candles", help="folder or file of SYMBOL_TIMEFRAME.csv candles to replay")
    parser.add_argument("--symbols", help="only these symbols, separated by commas")
    parser.add_argument("--catch-up", help="history streamed upon a client's first subscription, such as 6h")
    parser.add_argument("--seed", help="seed of the invented market")
    parser.add_argument("--edge", help="strength of a planted edge by the hour of day, such as 0.03; 0 plants none")
    parser.add_argument("--edge-cycles", help="how often a day prices rise and fall by it")
    parser.add_argument("--edge-first-day", help="first day of the planted edge, ISO date")
    parser.add_argument("--edge-last-day", help="last day of the planted edge, ISO date")
    parser.add_argument("--clock", help="real, paced (moved by POST /clock) or a speed such as 60x")
    parser.add_argument("--start", help="where a paced or fast clock starts, ISO time")
    parser.add_argument("--api-key", help="the only key to accept; any is accepted without")
    parser.add_argument("--over-cap", help="which of two connections with one key goes: evict or refuse")
    parser.add_argument("--auth-seconds", help="time a client has to authenticate")
    parser.add_argument("--fault-seed", help="run a script of random faults, drawn from this seed")
    parser.add_argument("--fault-hours", help="how long the script goes on, hours of the exchange's time")
    parser.add_argument("--faults-per-hour", help="how many faults the script has in an hour")
    return vars(parser.parse_args(arguments))

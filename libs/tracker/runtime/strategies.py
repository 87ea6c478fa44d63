"""A strategy's toml file: its timeframe and the parameters of its rule."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, create_model

from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.strategies import RULES
from tracker.runtime.config import config_hash, load_toml


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyConfig:
    """Validated parameters and the hash that signals carry."""

    strategy: Strategy
    timeframe: Timeframe
    params: Any
    hash: str


def load_strategy(config_dir: Path, strategy: Strategy) -> StrategyConfig:
    """Read configs/strategies/<strategy>.toml.

    Raises ConfigError naming file, field and value.
    """
    shape: type[BaseModel] = create_model(
        f"{strategy.value}_file",
        __config__=ConfigDict(extra="forbid", frozen=True),
        timeframe=(Timeframe, ...),
        params=(RULES[strategy].params, ...),
    )
    loaded: Any = load_toml(config_dir / "strategies" / f"{strategy.value}.toml", shape)
    return StrategyConfig(
        strategy=strategy, timeframe=loaded.timeframe, params=loaded.params, hash=config_hash(loaded)
    )

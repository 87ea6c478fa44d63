"""A strategy's toml file: its timeframe and the parameters of its rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, create_model

from tracker.domain.errors import ConfigError
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.strategies import RULES
from tracker.runtime.config import config_hash, read_toml, shaped


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyConfig:
    """Validated parameters and the hash that signals carry."""

    strategy: Strategy
    timeframe: Timeframe
    params: Any
    hash: str


def load_strategy(config_dir: Path, strategy: Strategy, changes: Mapping[str, Any] | None = None) -> StrategyConfig:
    """Read configs/strategies/<strategy>.toml; `changes` replaces values of its [params].

    Raises ConfigError naming file, field and value.
    """
    path = config_dir / "strategies" / f"{strategy.value}.toml"
    raw = read_toml(path)
    if changes:
        known = {each.name for each in fields(RULES[strategy].params)}
        for name in changes:
            if name not in known:
                raise ConfigError(f"params: {strategy.value} has no {name!r}, it has {', '.join(sorted(known))}")
        raw = {**raw, "params": {**raw.get("params", {}), **changes}}
    shape: type[BaseModel] = create_model(
        f"{strategy.value}_file",
        __config__=ConfigDict(extra="forbid", frozen=True),
        timeframe=(Timeframe, ...),
        params=(RULES[strategy].params, ...),
    )
    loaded: Any = shaped("params" if changes else str(path), raw, shape)
    return StrategyConfig(
        strategy=strategy, timeframe=loaded.timeframe, params=loaded.params, hash=config_hash(loaded)
    )

"""configs/models.toml: how models are trained and judged."""

from __future__ import annotations

from pathlib import Path

from tracker.domain.errors import ConfigError
from tracker.quant.features import FEATURE_SET
from tracker.quant.learning.settings import ModelsConfig
from tracker.quant.learning.watch import WatchLimits
from tracker.runtime.config import read_toml, shaped
from tracker.runtime.labels import FILE


def load_models_config(config_dir: Path) -> ModelsConfig:
    """Read models.toml but for labels and watch; raises ConfigError naming file, field and value."""
    path = config_dir / FILE
    raw = read_toml(path)
    for other in ("labels", "watch"):
        raw.pop(other, None)
    config = shaped(str(path), raw, ModelsConfig)
    for name, ends in ((each, getattr(config.search, each)) for each in config.search.__slots__):
        if ends[0] > ends[1]:
            raise ConfigError(f"{path}: search.{name}: {ends[0]} is above {ends[1]}")
    for strategy, ways in config.monotone.items():
        for feature in ways:
            if feature not in FEATURE_SET.names:
                raise ConfigError(f"{path}: monotone.{strategy}.{feature}: there is no such feature")
    return config


def load_watch_limits(config_dir: Path) -> WatchLimits:
    """Read the [watch] table of models.toml; raises ConfigError naming file, field and value."""
    path = config_dir / FILE
    raw = read_toml(path).get("watch")
    if raw is None:
        raise ConfigError(f"{path}: [watch] is missing")
    return shaped(f"{path}: watch", raw, WatchLimits)

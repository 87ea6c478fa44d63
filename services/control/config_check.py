"""Every config file of the fleet, read before anything starts."""

from __future__ import annotations

from pathlib import Path

from tracker.domain.signal import Strategy
from tracker.runtime.strategies import load_strategy
from tracker.runtime.trading_rules import load_trading_rules
from tracker.runtime.universe import load_universe


def check_configs(config_dir: Path) -> None:
    """Raise ConfigError naming file, field and value where a service could not start with what it would read."""
    load_universe(config_dir / "universe.toml")
    for strategy in Strategy:
        load_strategy(config_dir, strategy)
    load_trading_rules(config_dir)

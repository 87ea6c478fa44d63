"""Every config file of the fleet, read before anything starts."""

from __future__ import annotations

from pathlib import Path

from tracker.domain.errors import ConfigError
from tracker.quant.features.catalogue import DECISION_TIMEFRAMES
from tracker.runtime.accounts import load_accounts
from tracker.runtime.labels import load_label_params
from tracker.runtime.live_model import load_threshold
from tracker.runtime.maintenance_rules import load_maintenance_rules
from tracker.runtime.models_config import load_models_config, load_watch_limits
from tracker.runtime.retraining_rules import load_retraining_rules
from tracker.runtime.shadow_config import load_shadow_config
from tracker.runtime.strategies import configured_strategies, load_rules, load_strategy, scanned_strategies
from tracker.runtime.universe import load_universe


def check_configs(config_dir: Path, strategies_dir: Path) -> list[str]:
    """Return what is worth knowing before a start, a sentence each.

    Raises ConfigError naming file, field and value where a service could not start with what it would read.
    """
    load_universe(config_dir / "universe.toml")
    load_accounts(config_dir)
    load_maintenance_rules(config_dir)
    load_shadow_config(config_dir)
    load_threshold(config_dir)
    load_label_params(config_dir)
    load_models_config(config_dir)
    load_watch_limits(config_dir)
    rules = load_rules(strategies_dir)
    configured, scanned = configured_strategies(config_dir), scanned_strategies(config_dir)
    for strategy in configured:
        if strategy not in rules:
            path, own = config_dir / "strategies" / f"{strategy}.toml", strategies_dir / f"{strategy}.py"
            raise ConfigError(f"{path}: there is no rule {strategy.value!r}: {own} is missing")
    for strategy in load_retraining_rules(config_dir).strategies:
        if strategy not in {each.value for each in rules}:
            path = config_dir / "ml_retrainer.toml"
            raise ConfigError(f"{path}: strategies = {strategy!r}: there is no such rule")
    for strategy in (*rules, *scanned):
        timeframe = load_strategy(config_dir, strategy, rules=rules).timeframe
        if strategy in scanned and timeframe not in DECISION_TIMEFRAMES:
            path, kept = config_dir / "strategies" / f"{strategy}.toml", " and ".join(DECISION_TIMEFRAMES)
            raise ConfigError(f"{path}: timeframe = {timeframe.value!r}: a scanner decides on {kept} bars alone")
    return [
        f"{strategy} can be backtested, but has no scanner: add a [[service]] with --strategy {strategy}"
        " to configs/fleet.toml to have it look at the market"
        for strategy in configured
        if strategy not in scanned
    ]

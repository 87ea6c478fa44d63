"""Strategies as they are found: rules in Python files, their timeframe and parameters in toml files."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, create_model

from tracker.domain.errors import ConfigError
from tracker.domain.signal import Strategy
from tracker.domain.timeframe import Timeframe
from tracker.quant.strategies import RULES, StrategyRule
from tracker.runtime.config import config_hash, read_toml, shaped

SCANNER = "services.strategy_scanner"
_OF_A_RULE = ("name", "params", "required_features", "evaluate")

Rules = Mapping[Strategy, StrategyRule[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyConfig:
    """A rule with its validated parameters, and the hash that signals carry."""

    strategy: Strategy
    timeframe: Timeframe
    rule: StrategyRule[Any]
    params: Any
    hash: str


def load_rules(folder: Path) -> Rules:
    """Return the shipped rules and those of a folder: each of its Python files holds one, as RULE.

    Files that begin with an underscore are no rules; a folder that is not there holds none. Raises ConfigError naming
    the file that is not a rule.
    """
    rules = dict(RULES)
    for path in sorted(folder.glob("*.py")):
        if not path.name.startswith("_"):
            rule = _rule_in(path)
            rules[rule.name] = rule
    return MappingProxyType(rules)


def load_strategy(
    config_dir: Path, strategy: Strategy, changes: Mapping[str, Any] | None = None, rules: Rules = RULES
) -> StrategyConfig:
    """Read configs/strategies/<strategy>.toml; `changes` replaces values of its [params].

    Raises ConfigError naming file, field and value, or a strategy that `rules` does not hold.
    """
    rule = rule_of(strategy, rules)
    path = strategy_path(config_dir, strategy)
    raw = read_toml(path)
    if changes:
        known = {each.name for each in fields(rule.params)}
        for name in changes:
            if name not in known:
                raise ConfigError(f"params: {strategy} has no {name!r}, it has {', '.join(sorted(known))}")
        raw = {**raw, "params": {**raw.get("params", {}), **changes}}
    return shaped_strategy("params" if changes else str(path), strategy, rule, raw)


def strategy_path(config_dir: Path, strategy: Strategy) -> Path:
    """Return where a strategy's configuration lies."""
    return config_dir / "strategies" / f"{strategy}.toml"


def rule_of(strategy: Strategy, rules: Rules) -> StrategyRule[Any]:
    """Return a strategy's rule; raises ConfigError naming the known ones where `rules` does not hold it."""
    rule = rules.get(strategy)
    if rule is None:
        raise ConfigError(f"there is no rule {strategy.value!r}; known are {', '.join(sorted(rules))}")
    return rule


def shaped_strategy(where: str, strategy: Strategy, rule: StrategyRule[Any], raw: Mapping[str, Any]) -> StrategyConfig:
    """Check plain timeframe and params of whatever origin; raises ConfigError naming `where`, field and value."""
    shape: type[BaseModel] = create_model(
        f"{strategy}_file",
        __config__=ConfigDict(extra="forbid", frozen=True),
        timeframe=(Timeframe, ...),
        params=(rule.params, ...),
    )
    loaded: Any = shaped(where, raw, shape)
    return StrategyConfig(
        strategy=strategy, timeframe=loaded.timeframe, rule=rule, params=loaded.params, hash=config_hash(loaded)
    )


def load_strategies(config_dir: Path, strategies_dir: Path) -> list[StrategyConfig]:
    """Return every strategy with a file in configs/strategies; raises ConfigError as load_rules and load_strategy."""
    rules = load_rules(strategies_dir)
    return [load_strategy(config_dir, each, rules=rules) for each in configured_strategies(config_dir)]


def configured_strategies(config_dir: Path) -> tuple[Strategy, ...]:
    """Return the strategies with a file in configs/strategies; raises ConfigError where a file's name is none."""
    return tuple(_name_of(path) for path in sorted((config_dir / "strategies").glob("*.toml")))


def scanned_strategies(config_dir: Path) -> tuple[Strategy, ...]:
    """Return the strategies that have a scanner in configs/fleet.toml; raises ConfigError where one has no name."""
    path = config_dir / "fleet.toml"
    found: list[Strategy] = []
    for service in read_toml(path).get("service", ()):
        if service.get("module") == SCANNER:
            words = [str(word) for word in service.get("arguments", ())]
            if len(words) != 2 or words[0] != "--strategy":
                raise ConfigError(f"{path}: {service.get('name')} has arguments {words}, not --strategy and a name")
            found.append(_checked(words[1], path))
    return tuple(found)


def _rule_in(path: Path) -> StrategyRule[Any]:
    strategy = _name_of(path)
    if strategy in RULES:
        raise ConfigError(f"{path}: a rule called {strategy} is shipped, take another name")
    rule = getattr(_module_in(path, strategy), "RULE", None)
    if rule is None:
        raise ConfigError(f"{path}: there is no RULE in it")
    lacking = next((name for name in _OF_A_RULE if not hasattr(rule, name)), None)
    if lacking is not None:
        raise ConfigError(f"{path}: RULE has no {lacking!r}")
    if rule.name != strategy:
        raise ConfigError(f"{path}: RULE has the name {str(rule.name)!r}, not that of its file")
    if not is_dataclass(rule.params):
        raise ConfigError(f"{path}: params of RULE is {rule.params!r}, not a dataclass")
    return cast("StrategyRule[Any]", rule)


def _module_in(path: Path, strategy: Strategy) -> ModuleType:
    name = f"tracker_strategies_{strategy}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path}: cannot be imported")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their own annotations up under the module's name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    # Anything may go wrong in a file that somebody is just writing; the sentence says what did.
    except Exception as error:
        del sys.modules[name]
        words = " ".join(str(error).split())
        raise ConfigError(f"{path}: cannot be imported: {type(error).__name__}: {words}") from error
    return module


def _name_of(path: Path) -> Strategy:
    return _checked(path.stem, path)


def _checked(name: str, path: Path) -> Strategy:
    try:
        return Strategy(name)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None

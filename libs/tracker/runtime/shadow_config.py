"""Which variations are tried in the shadow: configs/shadow.toml."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_type_hints

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from tracker.domain.errors import ConfigError
from tracker.domain.signal import Strategy
from tracker.quant.backtest.variations import Number
from tracker.quant.paper import TradingRules
from tracker.quant.promotion import GateLimits
from tracker.quant.shadow.axes import Axis, draws, ends_of, grid
from tracker.quant.shadow.variation import LIVE, UNCHANGED, Variation, hash_of
from tracker.runtime.config import load_toml
from tracker.runtime.settings import describe
from tracker.runtime.strategies import Rules, StrategyConfig, load_strategy
from tracker.runtime.trading_rules import load_trading_rules

FILE = "shadow.toml"
# The one thing that a variation may ask of a model.
MIN_CONFIDENCE = "min_confidence"
# Draws that contradict themselves, such as a low above its high, are drawn again, but not for ever.
MOST_REDRAWS = 50


class VariationSet(BaseModel):
    """Variations of one strategy: `count` draws of the axes, or without it every combination of them.

    `params` are axes of the strategy's parameters, `trading` of the rules of trading by their path, such as
    risk.sizing.risk_per_trade, and `model` of what is asked of a model: min_confidence.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    strategy: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    count: int | None = Field(default=None, ge=1)
    params: Mapping[str, Axis] = {}
    trading: Mapping[str, Axis] = {}
    model: Mapping[str, Axis] = {}

    @model_validator(mode="after")
    def _check_axes(self) -> VariationSet:
        if not self.params and not self.trading and not self.model:
            raise ValueError(f"{self.name}: varies neither params nor trading nor model")
        if self.name in (LIVE, UNCHANGED):
            raise ValueError(f"{self.name} is the name of a configuration that is always tried")
        return self


class ShadowConfig(BaseModel):
    """The whole of shadow.toml; `outcomes_every_hours` is how often the outcomes are worked out anew.

    `gate` is what a variation has to show before it is promoted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(ge=0)
    outcomes_every_hours: int = Field(ge=1, le=24)
    gate: GateLimits
    set: tuple[VariationSet, ...] = ()

    @model_validator(mode="after")
    def _check_sets(self) -> ShadowConfig:
        names = [each.name for each in self.set]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"the name {twice} is given to two sets")
        return self

    @property
    def strategies(self) -> tuple[Strategy, ...]:
        """The strategies that have variations, in the order of the file."""
        return tuple(dict.fromkeys(Strategy(each.strategy) for each in self.set))


@dataclass(frozen=True, slots=True, kw_only=True)
class Swarm:
    """All variations of one strategy, the live one first; `config` is that of its file."""

    config: StrategyConfig
    trading: TradingRules
    variations: Sequence[Variation]

    @property
    def hash(self) -> str:
        """The identity of all the variations together."""
        return hash_of({"variations": [each.id for each in self.variations]})


def load_shadow_config(config_dir: Path) -> ShadowConfig:
    """Read shadow.toml; raises ConfigError naming file, field and value."""
    return load_toml(config_dir / FILE, ShadowConfig)


def load_swarms(
    config_dir: Path, rules: Rules, live: Mapping[Strategy, StrategyConfig] = MappingProxyType({})
) -> list[Swarm]:
    """Return the variations of each strategy of shadow.toml; `live` is what is in force where that is not the file.

    Raises ConfigError naming file, set, parameter and value, or as load_strategy and load_trading_rules do.
    """
    config = load_shadow_config(config_dir)
    trading = load_trading_rules(config_dir)
    path = config_dir / FILE
    files = {each: load_strategy(config_dir, each, rules=rules) for each in config.strategies}
    return [swarm_of(path, config, file, live.get(name, file), trading) for name, file in files.items()]


def swarm_of(
    path: Path, config: ShadowConfig, file: StrategyConfig, live: StrategyConfig, trading: TradingRules
) -> Swarm:
    """Return the variations of one strategy, each once; raises ConfigError naming set, parameter and value.

    Sets vary the file, so that a promotion, which puts another configuration in force, leaves all accounts as they are.
    """
    maker = _Maker(path, file, live, trading)
    live_one = maker.own(LIVE, live)
    found = {live_one.id: live_one}
    unchanged = maker.own(UNCHANGED, file)
    found.setdefault(unchanged.id, unchanged)
    for place, each in enumerate(config.set):
        if each.strategy == file.strategy:
            for variation in maker.make(each, np.random.default_rng([config.seed, place])):
                found.setdefault(variation.id, variation)
    return Swarm(config=file, trading=trading, variations=list(found.values()))


class _Maker:
    """Makes variations of one strategy by changing plain values of its live configuration and checking them."""

    def __init__(self, path: Path, file: StrategyConfig, live: StrategyConfig, trading: TradingRules) -> None:
        self._path = path
        self._config = file
        self._params = TypeAdapter[Any](file.rule.params)
        self._rules = TypeAdapter(TradingRules)
        self._plain_params: dict[str, Any] = asdict(file.params)
        self._live_params: dict[str, Any] = asdict(live.params)
        self._plain_rules: dict[str, Any] = self._rules.dump_python(trading, mode="json")
        self._known_rules: dict[str, tuple[TradingRules, str]] = {}

    def own(self, source: str, config: StrategyConfig) -> Variation:
        """Return a configuration as it is, under the rules as they are."""
        return self._variation(source, asdict(config.params), {})

    def make(self, wanted: VariationSet, rng: np.random.Generator) -> Iterator[Variation]:
        """Yield the variations of a set; raises ConfigError."""
        axes = {**wanted.params, **wanted.trading, **{f"model.{name}": axis for name, axis in wanted.model.items()}}
        whole = self._check(wanted)
        if wanted.count is None:
            try:
                for point in grid(axes, whole):
                    yield self._split(wanted, point)
            except ValueError as error:
                raise ConfigError(f"{self._path}: set {wanted.name}: {error}") from None
            return
        ids: set[str] = set()
        for tries, point in enumerate(draws(axes, whole, rng)):
            if tries == wanted.count * MOST_REDRAWS:
                raise ConfigError(
                    f"{self._path}: set {wanted.name}: count = {wanted.count}:"
                    f" only {len(ids)} different valid ones could be drawn"
                )
            try:
                variation = self._split(wanted, point)
            except ConfigError:
                continue
            if variation.id not in ids:
                ids.add(variation.id)
                yield variation
            if len(ids) == wanted.count:
                return

    def _check(self, wanted: VariationSet) -> dict[str, bool]:
        """Return which axes are of integers; raises ConfigError where an end of one cannot be a value."""
        hints = get_type_hints(self._config.rule.params, include_extras=True)
        where = f"{self._path}: set {wanted.name}"
        whole: dict[str, bool] = {}
        for name, axis in wanted.params.items():
            if not _is_number(self._plain_params.get(name)):
                known = ", ".join(sorted(each.name for each in fields(self._config.rule.params)))
                raise ConfigError(f"{where}: params.{name}: {wanted.strategy} has no such number; it has {known}")
            whole[name] = isinstance(self._plain_params[name], int)
            for end in ends_of(axis):
                try:
                    TypeAdapter(hints[name]).validate_python(end)
                except ValidationError as error:
                    raise ConfigError(f"{where}: params.{name} = {end}: {_reason(error)}") from None
        for name, axis in wanted.trading.items():
            value = _at(self._plain_rules, name)
            # What trading costs and how long an entry waits are facts, not choices.
            if not name.startswith("risk.") or not _is_number(value):
                raise ConfigError(f"{where}: trading.{name}: there is no such number in risk.toml")
            whole[name] = isinstance(value, int)
            for end in ends_of(axis):
                self._trading(wanted.name, {name: end})
        return whole | _check_model(where, wanted.model)

    def _split(self, wanted: VariationSet, point: Mapping[str, Number]) -> Variation:
        params = {name: value for name, value in point.items() if name in wanted.params}
        least = point.get(f"model.{MIN_CONFIDENCE}")
        return self._variation(wanted.name, params, {name: point[name] for name in wanted.trading}, least)

    def _variation(
        self, source: str, params: Mapping[str, Number], trading: Mapping[str, Number], least: Number | None = None
    ) -> Variation:
        plain = {**self._plain_params, **params}
        try:
            checked = self._params.validate_python(plain)
        except ValidationError as error:
            raise ConfigError(describe(f"{self._path}: set {source}: params", error)) from None
        rules, rules_hash = self._trading(source, trading)
        asked: dict[str, float] = {} if least is None else {f"model.{MIN_CONFIDENCE}": float(least)}
        if asked:
            rules_hash = hash_of({"rules": rules_hash, **asked})
        config_hash = _canonical({"timeframe": self._config.timeframe.value, "params": asdict(checked)})
        changed = {name: value for name, value in plain.items() if value != self._live_params.get(name)}
        moved = {name: value for name, value in trading.items() if value != _at(self._plain_rules, name)}
        return Variation(
            id=hash_of({"strategy": self._config.strategy.value, "config": config_hash, "rules": rules_hash}),
            strategy=self._config.strategy,
            timeframe=self._config.timeframe,
            params=checked,
            rules=rules,
            config_hash=config_hash,
            rules_hash=rules_hash,
            source=source,
            changes=changed | moved | asked,
            min_confidence=None if least is None else float(least),
        )

    def _trading(self, source: str, changes: Mapping[str, Number]) -> tuple[TradingRules, str]:
        key = repr(sorted(changes.items()))
        if key not in self._known_rules:
            plain = self._plain_rules
            for name, value in changes.items():
                plain = _with(plain, name.split("."), value)
            try:
                rules = self._rules.validate_python(plain)
            except ValidationError as error:
                raise ConfigError(describe(f"{self._path}: set {source}: trading", error)) from None
            self._known_rules[key] = rules, _canonical(self._rules.dump_python(rules, mode="json"))
        return self._known_rules[key]


def _canonical(plain: Mapping[str, Any]) -> str:
    # As config_hash does it, without looking the shape up anew for each of thousands.
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _check_model(where: str, axes: Mapping[str, Axis]) -> dict[str, bool]:
    """Return which axes of what is asked of a model are of integers: none; raises ConfigError naming a wrong one."""
    for name, axis in axes.items():
        if name != MIN_CONFIDENCE:
            raise ConfigError(f"{where}: model.{name}: only {MIN_CONFIDENCE} is asked of a model")
        for end in ends_of(axis):
            if not 0 <= end < 1:
                raise ConfigError(f"{where}: model.{name} = {end}: a probability from 0 to below 1 is wanted")
    return {f"model.{name}": False for name in axes}


def _at(plain: Mapping[str, Any], path: str) -> Any:
    value: Any = plain
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _with(plain: Mapping[str, Any], path: Sequence[str], value: Number) -> dict[str, Any]:
    rest = path[1:]
    return {**plain, path[0]: _with(plain[path[0]], rest, value) if rest else value}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _reason(error: ValidationError) -> str:
    return error.errors()[0]["msg"].removeprefix("Value error, ")

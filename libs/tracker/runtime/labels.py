"""What labels are made with, and the hash by which those of other rules are told apart."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from tracker.domain.errors import ConfigError
from tracker.quant.execution import ExecutionParams
from tracker.quant.labelling import LabelParams
from tracker.runtime.config import plain_hash, read_toml, shaped
from tracker.runtime.effective_strategy import effective_strategy
from tracker.runtime.strategies import Rules, StrategyConfig
from tracker.runtime.trading_rules import load_trading_rules
from tracker.store.database import Transaction
from tracker.store.labels import LabelConfig

FILE = "models.toml"
# Goes up when the same setup would get another label by other code.
RULES_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelWork:
    """One strategy's labels: its configuration, the rules of their trades, and the identity of it all."""

    strategy: StrategyConfig
    execution: ExecutionParams
    params: LabelParams
    config: LabelConfig


def load_label_params(config_dir: Path) -> LabelParams:
    """Read the [labels] of models.toml; raises ConfigError naming file, field and value."""
    path = config_dir / FILE
    table = read_toml(path).get("labels")
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: there is no table [labels]")
    return shaped(f"{path}: labels", table, LabelParams)


def label_work(strategy: StrategyConfig, execution: ExecutionParams, params: LabelParams) -> LabelWork:
    """Return the labels that a strategy's configuration gets by the rules of paper trading."""
    rules = {
        "version": RULES_VERSION,
        "execution": TypeAdapter(ExecutionParams).dump_python(execution, mode="json"),
        "notional": params.notional,
        "setups": params.setups.value,
    }
    config = LabelConfig(
        hash=plain_hash({"strategy": strategy.strategy.value, "config": strategy.hash, **rules}),
        strategy=strategy.strategy.value,
        timeframe=strategy.timeframe,
        strategy_hash=strategy.hash,
        params=asdict(strategy.params),
        rules=rules,
    )
    return LabelWork(strategy=strategy, execution=execution, params=params, config=config)


async def effective_label_work(
    transaction: Transaction, config_dir: Path, strategies: list[StrategyConfig], rules: Rules
) -> list[LabelWork]:
    """Return the labels of strategies in the configuration in which their scanners run now.

    Raises ConfigError naming file, field and value.
    """
    execution = load_trading_rules(config_dir).paper.execution
    params = load_label_params(config_dir)
    found: list[LabelWork] = []
    for each in strategies:
        in_force = await effective_strategy(transaction, config_dir, each.strategy, rules)
        found.append(label_work(in_force.config, execution, params))
    return found

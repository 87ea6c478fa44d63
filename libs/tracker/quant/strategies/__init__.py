"""The rules that are shipped: every module of this package with a RULE is one."""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from tracker.domain.signal import Strategy
from tracker.quant.strategies.base import FeatureFrame, Proposals, StrategyRule


def _shipped() -> dict[Strategy, StrategyRule[Any]]:
    modules = [import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    rules: list[StrategyRule[Any]] = [module.RULE for module in modules if hasattr(module, "RULE")]
    return {rule.name: rule for rule in rules}


RULES: Mapping[Strategy, StrategyRule[Any]] = MappingProxyType(_shipped())

__all__ = ["RULES", "FeatureFrame", "Proposals", "StrategyRule"]

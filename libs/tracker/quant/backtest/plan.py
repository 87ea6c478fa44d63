"""What a backtest is to try."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tracker.domain.timeframe import Timeframe
from tracker.quant.backtest.market import Span
from tracker.quant.models.scoring import Model
from tracker.quant.paper import TradingRules
from tracker.quant.strategies.base import StrategyRule


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestPlan:
    """A rule with its parameters, the rules of trading, when, and the model that is asked, where there is one."""

    rule: StrategyRule[Any]
    params: Any
    config_hash: str
    timeframe: Timeframe
    trading: TradingRules
    rules_hash: str
    span: Span
    model: Model | None = None

"""The rules of the fleet, one module a strategy."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from tracker.domain.signal import Strategy
from tracker.quant.strategies.base import FeatureFrame, Proposals, StrategyRule
from tracker.quant.strategies.channel import ChannelParams, ChannelRule
from tracker.quant.strategies.dca import DcaParams, DcaRule
from tracker.quant.strategies.swing import SwingParams, SwingRule

RULES: Mapping[Strategy, StrategyRule[Any]] = MappingProxyType(
    {Strategy.DCA: DcaRule(), Strategy.SWING: SwingRule(), Strategy.CHANNEL: ChannelRule()}
)

__all__ = [
    "RULES",
    "ChannelParams",
    "ChannelRule",
    "DcaParams",
    "DcaRule",
    "FeatureFrame",
    "Proposals",
    "StrategyRule",
    "SwingParams",
    "SwingRule",
]

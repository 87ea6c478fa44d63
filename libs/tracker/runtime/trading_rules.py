"""The paper trader's two config files."""

from __future__ import annotations

from pathlib import Path

from tracker.quant.paper import PaperConfig, TradingRules
from tracker.quant.risk import RiskConfig
from tracker.runtime.config import load_toml


def load_trading_rules(config_dir: Path) -> TradingRules:
    """Read paper_trading.toml and risk.toml.

    Raises ConfigError naming file, field and value.
    """
    return TradingRules(
        paper=load_toml(config_dir / "paper_trading.toml", PaperConfig),
        risk=load_toml(config_dir / "risk.toml", RiskConfig),
    )

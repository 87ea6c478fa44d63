"""The shape of paper_trading.toml, and all rules of trading together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Gt, MinLen

from tracker.quant import risk_rules
from tracker.quant.entry import EntryParams
from tracker.quant.execution import ExecutionParams
from tracker.quant.risk import RiskConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountParams:
    """The account a ledger begins with; the `[account]` table of paper_trading.toml, or of a file of its own.

    `strategies` are those whose signals it acts on, None all.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    name: Annotated[str, MinLen(1)]
    currency: Annotated[str, MinLen(1)]
    start_cash: Annotated[float, Gt(0)]
    strategies: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperConfig:
    """The whole of paper_trading.toml."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    account: AccountParams
    execution: ExecutionParams


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingRules:
    """Everything a ledger depends on besides bars and signals."""

    paper: PaperConfig
    risk: RiskConfig
    entry: EntryParams = field(default_factory=EntryParams)

    def numbers(self) -> list[float]:
        """Return what may be risked as `tracker.quant.risk_rules` reads it."""
        p = self.risk.numbers(self.paper.execution)
        p[risk_rules.ENTRY_STRENGTH] = self.entry.min_strength
        p[risk_rules.ENTRY_CONFIRMATIONS] = self.entry.min_confirmations
        p[risk_rules.ENTRY_CONFIDENCE] = self.entry.min_confidence
        return p

"""Accounts stay within the limits of their rules."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from tracker.runtime.config import read_toml
from tracker.store.health.trading import AccountFacts, AccountStanding

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

NO_LIMIT = "no limit"


def rule(account: AccountStanding, config_dir: Path, *path: str) -> float | None:
    """Return a limit of an account's rules, of risk.toml where it has none stored yet; None where there is none."""
    found: Any = _default_rules(config_dir) if account.rules is None else account.rules
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return None if found is None else float(found)


@cache
def _default_rules(config_dir: Path) -> Mapping[str, Any]:
    return read_toml(config_dir / "risk.toml")


class AccountInvariant(Invariant):
    """Something of each account that its rules bound; a limit that is not set is said, and nothing is wrong."""

    group = "risk"
    severity = "critical"
    path: ClassVar[tuple[str, ...]]

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each account."""
        for account in seen.of(AccountFacts).accounts:
            limit = rule(account, seen.settings.config_dir, *self.path)
            value, words = self.look(account)
            bound = None if limit is None or limit <= 0 else limit * self.slack(seen)
            yield Verdict(
                subject=account.account, observed=words, limit=NO_LIMIT if bound is None else self.show(bound),
                ok=bound is None or value <= bound, value=value,
            )  # fmt: skip

    @abstractmethod
    def look(self, account: AccountStanding) -> tuple[float, str]:
        """Return what is observed, as a number and in words."""

    def slack(self, seen: Observation) -> float:
        """Return by what the limit is multiplied before it is held to be passed."""
        del seen
        return 1.0

    def show(self, bound: float) -> str:
        """Return the limit in words."""
        return f"{bound:.1%} of equity"


class OpenPositions(AccountInvariant):
    """No account has more trades at once than its rules allow."""

    name = "open positions"
    advice = "the limit was lowered, or the trader is wrong: `tracker account show` lists them, `tracker flatten` sells"
    path = ("limits", "max_open_positions")

    def look(self, account: AccountStanding) -> tuple[float, str]:
        """Count trades that are held or wait for their entry."""
        return float(account.live), f"{account.live} trades"

    def show(self, bound: float) -> str:
        """Return the limit in words."""
        return f"{bound:.0f}"


class _Exposure(AccountInvariant):
    unit = "share of equity"
    settings = ("exposure_slack",)

    def slack(self, seen: Observation) -> float:
        """Prices move after a trade was let in within its limit."""
        return 1.0 + seen.settings.exposure_slack


class GrossExposure(_Exposure):
    """What an account holds and waits to buy is within its limit of equity."""

    name = "gross exposure"
    advice = "look at `tracker account show`; resting buys can be cancelled, `tracker account flatten` sells"
    path = ("limits", "max_gross_exposure")

    def look(self, account: AccountStanding) -> tuple[float, str]:
        """Compare what is held and waited for with equity."""
        share = _share(float(account.held + account.waiting), account)
        return share, f"{share:.1%} of equity, {_share(float(account.held), account):.1%} held"


class SymbolExposure(_Exposure):
    """What an account has in its largest symbol is within its limit of equity."""

    name = "symbol exposure"
    advice = "look at `tracker account show`; two strategies may hold the symbol, or its price has risen far"
    path = ("limits", "max_symbol_exposure")

    def look(self, account: AccountStanding) -> tuple[float, str]:
        """Compare the largest symbol with equity."""
        share = _share(float(account.largest_value), account)
        return share, f"{share:.1%} of equity in {account.largest_symbol}" if share else "nothing held"


class Drawdown(AccountInvariant):
    """An account's equity is not further under its peak than where it is to buy less."""

    name = "drawdown"
    severity = "warning"
    advice = "trading pauses by itself; `tracker account show` has the trades and when it goes on"
    unit = "share of equity"
    path = ("protections", "drawdown", "reduce_at")

    def look(self, account: AccountStanding) -> tuple[float, str]:
        """Return the fall from the peak."""
        return account.drawdown or 0.0, f"{account.drawdown or 0.0:.1%} under the peak"


class DailyLoss(AccountInvariant):
    """An account has not lost more since midnight (UTC) than it may in a day."""

    name = "daily loss"
    severity = "warning"
    advice = "nothing is bought until midnight (UTC); `tracker account show` has the trades of the day"
    unit = "share of equity"
    path = ("protections", "daily_loss", "max_loss")

    def look(self, account: AccountStanding) -> tuple[float, str]:
        """Return the loss of the day."""
        return account.day_loss or 0.0, f"{account.day_loss or 0.0:.1%} lost since midnight"


class RiskPerTrade(Invariant):
    """No stop that is hit costs more than the sizing rules stake on a trade."""

    name = "risk per trade"
    group = "risk"
    severity = "critical"
    advice = "the trade is too large for its stop: `tracker account show` has its size, `tracker flatten` sells"
    unit = "share of equity"
    settings = ("exposure_slack",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each account."""
        facts = seen.of(AccountFacts)
        for account in facts.accounts:
            bound = self._bound(account, seen)
            held = [each for each in facts.trades if each.account == account.account and each.status == "open"]
            worst = max(held, key=lambda each: each.at_risk, default=None)
            share = 0.0 if worst is None else _share(float(worst.at_risk), account)
            words = "nothing held" if worst is None else f"{max(share, 0.0):.1%} of equity with {worst.symbol}"
            yield Verdict(
                subject=account.account, observed=words,
                limit=NO_LIMIT if bound is None else f"{bound:.1%} of equity",
                ok=bound is None or share <= bound, value=share,
            )  # fmt: skip

    def _bound(self, account: AccountStanding, seen: Observation) -> float | None:
        config, total = seen.settings.config_dir, 1.0 + seen.settings.exposure_slack
        for name in ("risk_per_trade", "size_multiplier", "max_scale"):
            factor = rule(account, config, "sizing", name)
            if factor is None:
                return None
            total *= factor
        return total


class CashNotNegative(Invariant):
    """No account owes money: there is no borrowing."""

    name = "cash"
    group = "risk"
    severity = "critical"
    advice = "the trader spent what was not there: `tracker verify parity` names the order"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each account."""
        for account in seen.of(AccountFacts).accounts:
            yield Verdict(
                subject=account.account, observed=f"{account.cash:.2f}", limit="0 or more", ok=account.cash >= 0,
                value=float(account.cash),
            )  # fmt: skip


def _share(value: float, account: AccountStanding) -> float:
    equity = float(account.equity)
    if equity > 0:
        return value / equity
    return float("inf") if value > 0 else 0.0

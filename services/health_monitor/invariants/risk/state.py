"""Accounts trade, and what they are worth is noted."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.trading import AccountFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


class TradingActive(Invariant):
    """No protection and no person has an account buy nothing."""

    name = "trading active"
    group = "risk"
    severity = "warning"
    advice = "it ends by itself at the time that is said; `tracker account resume` ends what a person asked for"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each account."""
        for account in seen.of(AccountFacts).accounts:
            words = account.state
            if account.protections and account.state_until is not None:
                until = f"{account.state_until:%Y-%m-%d %H:%M} UTC"
                words += f", nothing is bought until {until}: {account.protections}: {account.note}"
            yield Verdict(
                subject=account.account, observed=words, limit="ACTIVE",
                ok=account.state == "ACTIVE" and not account.protections,
            )  # fmt: skip


class EquityFresh(Invariant):
    """What an account is worth was noted lately, in event time."""

    name = "equity curve"
    group = "risk"
    severity = "warning"
    advice = "the trader walks without noting equity: look at its log; the curve is one row every quarter of an hour"
    unit = "minutes"
    settings = ("equity_limit_minutes",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each account."""
        limit = seen.settings.equity_limit_minutes
        for account in seen.of(AccountFacts).accounts:
            noted = account.equity_at or account.started_at
            minutes = max((account.processed_through - noted).total_seconds() / 60, 0.0)
            words = f"last point {minutes:.0f} min" if account.equity_at else f"no point for {minutes:.0f} min"
            yield Verdict(
                subject=account.account, observed=f"{words} behind the trader", limit=f"{limit:g} min",
                ok=minutes <= limit, value=minutes,
            )  # fmt: skip

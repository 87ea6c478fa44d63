"""Bars come, and of every symbol."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.data_pipeline import BarFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


class BarsFresh(Invariant):
    """The newest closed minute is young; with replayed bars the close keeps up with what was received."""

    name = "bars fresh"
    group = "data pipeline"
    severity = "critical"
    unit = "s"
    settings = ("bar_limit_seconds",)
    advice = "look at data_collector's log for reconnects or a refused key, then at the vendor's status page"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(BarFacts), seen.settings.bar_limit_seconds
        if seen.settings.is_replay and facts.newest_close is not None and facts.closed_through is not None:
            age: float | None = (facts.newest_close - facts.closed_through).total_seconds()
        else:
            age = facts.age(facts.closed_through)
        yield Verdict(
            observed="no minute closed yet" if age is None else f"{age:.0f} s",
            limit=f"{limit:.0f} s",
            ok=age is not None and age <= limit,
            value=age,
        )


class SymbolsLive(Invariant):
    """Nearly all active symbols have a bar within 15 minutes of the newest one."""

    name = "symbols live"
    group = "data pipeline"
    severity = "critical"
    unit = "symbols"
    settings = ("live_share_limit",)
    advice = "compare latest_bar with symbols: the missing ones may be delisted or not subscribed"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(BarFacts), seen.settings.live_share_limit
        share = facts.live_symbols / facts.active_symbols if facts.active_symbols else 0.0
        yield Verdict(
            observed=f"{facts.live_symbols} of {facts.active_symbols} active "
            f"({facts.unsupported_symbols} unsupported)",
            limit=f"at least {limit:.0%}",
            ok=share >= limit,
            value=facts.live_symbols,
        )

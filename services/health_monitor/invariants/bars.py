"""Bars come, and of every symbol."""

from __future__ import annotations

from collections.abc import Iterable

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


class BarsFresh(Invariant):
    """The newest closed minute is young; with replayed bars the close keeps up with what was received."""

    group = "data pipeline"
    severity = "critical"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.facts, seen.settings.bar_limit_seconds
        if seen.settings.is_replay and facts.newest_close is not None and facts.closed_through is not None:
            age: float | None = (facts.newest_close - facts.closed_through).total_seconds()
        else:
            age = seen.age(facts.closed_through)
        yield Verdict(
            name="bars fresh",
            observed="no minute closed yet" if age is None else f"{age:.0f} s",
            limit=f"{limit:.0f} s",
            ok=age is not None and age <= limit,
            advice="look at data_collector's log for reconnects or a refused key, then at the vendor's status page",
        )


class SymbolsLive(Invariant):
    """Nearly all active symbols have a bar within 15 minutes of the newest one."""

    group = "data pipeline"
    severity = "critical"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.facts, seen.settings.live_share_limit
        share = facts.live_symbols / facts.active_symbols if facts.active_symbols else 0.0
        yield Verdict(
            name="symbols live",
            observed=f"{facts.live_symbols} of {facts.active_symbols} active "
            f"({facts.unsupported_symbols} unsupported)",
            limit=f"at least {limit:.0%}",
            ok=share >= limit,
            advice="compare latest_bar with symbols: the missing ones may be delisted or not subscribed",
        )

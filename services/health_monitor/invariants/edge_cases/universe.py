"""There is something to look at."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.edge_cases import ContradictionFacts, UniverseFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


class UniverseFilled(Invariant):
    """There are symbols, and most of them are collected."""

    name = "universe"
    group = "edge cases"
    severity = "critical"
    advice = "universe.toml names the symbols; what the feed does not know is unsupported: is it the right feed?"
    settings = ("active_share_limit",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(UniverseFacts), seen.settings.active_share_limit
        share = facts.active / facts.known if facts.known else 0.0
        yield Verdict(
            observed=f"{facts.active} of {facts.known} symbols active, {facts.unsupported} unsupported",
            limit=f"1 symbol and {limit:.0%}", ok=facts.active > 0 and share >= limit, value=float(facts.active),
        )  # fmt: skip


class SymbolsSteady(Invariant):
    """No symbol goes in and out of the universe time and again."""

    name = "symbol status"
    group = "edge cases"
    severity = "warning"
    advice = "the vendor's list changes back and forth, or two collectors disagree: symbols.status_reason says why"
    unit = "changes"
    settings = ("status_window_minutes", "status_changes_limit")

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts, limit = seen.of(UniverseFacts), seen.settings.status_changes_limit
        minutes = seen.settings.status_window_minutes
        counts = {
            symbol: sum((facts.age(each) or 0.0) < minutes * 60 for each in moments)
            for symbol, moments in facts.changes.items()
        }
        unsteady = sorted(symbol for symbol, count in counts.items() if count > limit)
        most = max(counts.values(), default=0)
        yield Verdict(
            observed=f"{len(unsteady)} symbols changed up to {most} times: {', '.join(unsteady[:5])}" if unsteady
            else f"at most {most} changes",
            limit=f"{limit} in {minutes:g} min", ok=not unsteady, value=float(most),
        )  # fmt: skip


class SignalsTradedOnce(Invariant):
    """A signal is entered once an account, by an order of its own, and what was refused is not filled."""

    name = "orders of a signal"
    group = "edge cases"
    severity = "critical"
    advice = "two traders wrote one account, or rows were changed by hand: `tracker why` shows the chain"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        facts = seen.of(ContradictionFacts)
        counts = {
            "signals entered twice": facts.doubled, "refused orders with fills": facts.filled_though_refused,
            "orders unlike their signal": facts.of_another_signal,
        }  # fmt: skip
        bad = {name: count for name, count in counts.items() if count}
        yield Verdict(
            observed=", ".join(f"{name}: {count}" for name, count in bad.items()) or "each once",
            limit="0 contradictions", ok=not bad, value=float(sum(bad.values())),
        )  # fmt: skip

"""The paper trader follows the minutes."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.risk import TraderFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


class PaperFollows(Invariant):
    """The paper trader has walked through the minutes that are closed."""

    name = "paper trader follows"
    group = "risk"
    severity = "critical"
    unit = "s"
    settings = ("stage_lag_limit_seconds",)
    advice = "look at paper_trader's log: it may wait for a scanner that is down"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict: how long the trader has left a closed minute alone."""
        facts, limit = seen.of(TraderFacts), seen.settings.stage_lag_limit_seconds
        done, due = facts.paper_through, facts.closed_through
        behind = due is not None and (done is None or done < due)
        lag = (facts.age(facts.closed_at) or 0.0) if behind else 0.0
        # While minutes close all the time, the last close is always young: the distance in bars counts as well.
        start = done if done is not None else facts.opened_at
        if due is not None and start is not None and not seen.settings.is_replay:
            lag = max(lag, (due - start).total_seconds() - 60.0)
        yield Verdict(
            observed=f"{lag:.0f} s behind", limit=f"{limit:.0f} s", ok=due is None or lag <= limit, value=lag
        )

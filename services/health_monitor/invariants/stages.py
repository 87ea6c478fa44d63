"""Each stage follows its input."""

from __future__ import annotations

from collections.abc import Iterable

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


class StagesFollow(Invariant):
    """Features and scans reach a closed bucket soon after it closed."""

    group = "strategies"
    severity = "critical"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each stage and timeframe."""
        limit = seen.settings.stage_lag_limit_seconds
        for stage in seen.stages:
            behind = stage.done is None or stage.done < stage.due
            waited = seen.age(stage.due_since) if behind else 0.0
            lag = 0.0 if waited is None else waited
            yield Verdict(
                name=f"stage {stage.stage}",
                observed=f"{lag:.0f} s behind",
                limit=f"{limit:.0f} s",
                ok=lag <= limit,
                advice=f"the service behind '{stage.stage}' does not move: look at its log and heartbeat",
            )


class PaperFollows(Invariant):
    """The paper trader has walked through the minutes that are closed."""

    group = "paper trading"
    severity = "critical"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict: how long the trader has left a closed minute alone."""
        facts, limit = seen.facts, seen.settings.stage_lag_limit_seconds
        done, due = facts.paper_through, facts.closed_through
        behind = due is not None and (done is None or done < due)
        lag = (seen.age(facts.closed_at) or 0.0) if behind else 0.0
        # While minutes close all the time, the last close is always young: the distance in bars counts as well.
        if due is not None and done is not None and not seen.settings.is_replay:
            lag = max(lag, (due - done).total_seconds() - 60.0)
        yield Verdict(
            name="paper trader follows",
            observed=f"{lag:.0f} s behind",
            limit=f"{limit:.0f} s",
            ok=due is None or lag <= limit,
            advice="look at paper_trader's log: it may wait for a scanner that is down",
        )

"""Each stage follows its input."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tracker.store.health import Stage

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

SCANNER = "strategy_scanner_"


class StagesFollow(Invariant):
    """Features and scans reach a closed bucket soon after it closed."""

    group = "strategies"
    severity = "critical"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each stage and timeframe."""
        limit = seen.settings.stage_lag_limit_seconds
        for stage in (*seen.stages, *_never_scanned(seen)):
            lag = lag_of(stage, seen)
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
        start = done if done is not None else facts.opened_at
        if due is not None and start is not None and not seen.settings.is_replay:
            lag = max(lag, (due - start).total_seconds() - 60.0)
        yield Verdict(
            name="paper trader follows",
            observed=f"{lag:.0f} s behind",
            limit=f"{limit:.0f} s",
            ok=due is None or lag <= limit,
            advice="look at paper_trader's log: it may wait for a scanner that is down",
        )


def lag_of(stage: Stage, seen: Observation) -> float:
    """Return for how many seconds a closed bucket has been waiting for the stage."""
    if stage.done is not None and stage.done >= stage.due:
        return 0.0
    # Each close of the input makes due_since young again; more than one bucket behind, the stage's own last step
    # tells since when it stands still.
    stands = stage.done is not None and stage.due - stage.done > stage.bucket
    return seen.age(stage.done_at if stands else stage.due_since) or 0.0


def _never_scanned(seen: Observation) -> list[Stage]:
    """Return a stage for each expected scanner that has not scanned anything since features are there."""
    known = {stage.stage for stage in seen.stages}
    wanted = [
        f"scan {service.removeprefix(SCANNER)}"
        for service in seen.settings.expected_services
        if service.startswith(SCANNER)
    ]
    features = [stage for stage in seen.stages if stage.stage == "features 15m" and stage.done is not None]
    return [
        replace(each, stage=name, due_since=each.done_at or each.due_since, done=None, done_at=None)
        for each in features
        for name in wanted
        if name not in known
    ]

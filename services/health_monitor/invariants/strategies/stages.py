"""Features and scans follow the bars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tracker.store.health.facts import Facts
from tracker.store.health.strategies import StageFacts
from tracker.store.stages import Stage

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

SCANNER = "strategy_scanner_"


class StagesFollow(Invariant):
    """Features and scans reach a closed bucket soon after it closed."""

    name = "stage"
    group = "strategies"
    severity = "critical"
    unit = "s"
    settings = ("stage_lag_limit_seconds",)
    advice = "the service behind it does not move: look at its log and heartbeat"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each stage and timeframe."""
        facts, limit = seen.of(StageFacts), seen.settings.stage_lag_limit_seconds
        for stage in (*facts.stages, *_never_scanned(facts, seen)):
            lag = lag_of(stage, facts)
            yield Verdict(
                subject=stage.stage,
                observed=f"{lag:.0f} s behind",
                limit=f"{limit:.0f} s",
                ok=lag <= limit,
                value=lag,
                advice=f"the service behind '{stage.stage}' does not move: look at its log and heartbeat",
            )


def lag_of(stage: Stage, facts: Facts) -> float:
    """Return for how many seconds a closed bucket has been waiting for the stage."""
    if stage.done is not None and stage.done >= stage.due:
        return 0.0
    # Each close of the input makes due_since young again; more than one bucket behind, the stage's own last step
    # tells since when it stands still.
    stands = stage.done is not None and stage.due - stage.done > stage.bucket
    return facts.age(stage.done_at if stands else stage.due_since) or 0.0


def _never_scanned(facts: StageFacts, seen: Observation) -> list[Stage]:
    """Return a stage for each expected scanner that has not scanned anything since features are there."""
    known = {stage.stage for stage in facts.stages}
    wanted = [
        f"scan {service.removeprefix(SCANNER)}"
        for service in seen.settings.expected_services
        if service.startswith(SCANNER)
    ]
    features = [stage for stage in facts.stages if stage.stage == "features 15m" and stage.done is not None]
    return [
        replace(each, stage=name, due_since=each.done_at or each.due_since, done=None, done_at=None)
        for each in features
        for name in wanted
        if name not in known
    ]

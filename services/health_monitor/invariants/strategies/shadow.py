"""The shadow follows the features."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.strategies import StageFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict
from services.health_monitor.invariants.strategies.stages import lag_of


class ShadowFollows(Invariant):
    """Every close has been tried in the shadow soon after its features are there."""

    name = "shadow watermark lag"
    group = "strategies"
    severity = "warning"
    unit = "s"
    settings = ("shadow_lag_limit_seconds",)
    advice = "look at shadow_tester's log: its worker may fail, or be busy catching up"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each strategy that is tried."""
        facts, limit = seen.of(StageFacts), seen.settings.shadow_lag_limit_seconds
        for stage in facts.shadow:
            lag = lag_of(stage, facts)
            yield Verdict(
                subject=stage.stage.removeprefix("shadow "),
                observed=f"{lag:.0f} s behind",
                limit=f"{limit:.0f} s",
                ok=lag <= limit,
                value=lag,
            )

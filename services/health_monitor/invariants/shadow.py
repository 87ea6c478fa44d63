"""The shadow follows."""

from __future__ import annotations

from collections.abc import Iterable

from services.health_monitor.invariants.base import Invariant, Observation, Verdict
from services.health_monitor.invariants.stages import lag_of


class ShadowFollows(Invariant):
    """Every close has been tried in the shadow soon after its features are there."""

    group = "shadow"
    severity = "warning"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each strategy that is tried."""
        limit = seen.settings.shadow_lag_limit_seconds
        for stage in seen.shadow:
            lag = lag_of(stage, seen)
            yield Verdict(
                name=f"shadow watermark lag {stage.stage.removeprefix('shadow ')}",
                observed=f"{lag:.0f} s behind",
                limit=f"{limit:.0f} s",
                ok=lag <= limit,
                advice="look at shadow_tester's log: its worker may fail, or be busy catching up",
            )

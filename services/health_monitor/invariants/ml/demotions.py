"""A champion that failed is told of."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.ml import ModelFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

HOUR_SECONDS = 3600.0


class ModelDemoted(Invariant):
    """No champion was demoted lately for doing something else than it was promoted for.

    It is told for some time, or until somebody promotes a model or rolls one back.
    """

    name = "model demoted"
    group = "ml"
    severity = "warning"
    advice = (
        "`tracker models show MODEL` and `tracker models watch` say what failed; a new training is queued by itself,"
        " and `tracker models promote` ends this"
    )
    settings = ("demotion_told_hours",)

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each strategy that scans."""
        facts, limit = seen.of(ModelFacts), seen.settings.demotion_told_hours
        for state in facts.models:
            age = facts.age(state.demoted_at)
            observed, ok = "none was demoted", True
            if age is not None:
                hours, ok = age / HOUR_SECONDS, age > limit * HOUR_SECONDS
                now = "the rule decides" if state.model_id is None else f"model {state.model_id} decides"
                observed = f"model {state.demoted_id} {hours:.0f} h ago: {state.demoted_for}; {now}"
            yield Verdict(subject=state.strategy, observed=observed, limit=f"none within {limit:.0f} h", ok=ok)

"""Models are trained as they should be, and no work on them was given up."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.ml import ModelFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

HOUR_SECONDS = 3600.0


class TrainingFresh(Invariant):
    """Each strategy's model has been trained lately, or there was nothing yet to train one of."""

    name = "training"
    group = "ml"
    severity = "warning"
    unit = "h"
    settings = ("training_limit_hours",)
    advice = "`tracker retrain status` says what failed or waits, and whether ml_retrainer runs"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each strategy that was ever to be trained."""
        facts, limit = seen.of(ModelFacts), seen.settings.training_limit_hours
        for strategy, since in sorted(facts.jobs.trained_since.items()):
            good = facts.jobs.trained.get(strategy)
            done, result = good or (since, {})
            hours = (facts.age(done) or 0.0) / HOUR_SECONDS
            if good is None:
                words = f"never in {hours:.0f} h"
            else:
                words = f"{hours:.0f} h ago" + (f": {result['note']}" if result.get("note") else "")
            yield Verdict(
                subject=strategy,
                observed=words,
                limit=f"within {limit:.0f} h",
                ok=hours <= limit,
                value=hours,
            )


class JobsSucceed(Invariant):
    """No job of the queue was given up."""

    name = "model jobs succeed"
    group = "ml"
    severity = "warning"
    unit = "jobs"
    advice = "mend what the error names, then `tracker retrain now --strategy NAME [--kind KIND]`"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict."""
        failed = [each for each in seen.of(ModelFacts).jobs.waiting if each.status == "failed"]
        words = "; ".join(f"{each.kind} of {each.strategy}: {each.error}" for each in failed)
        yield Verdict(
            observed=words or "none given up",
            limit="none given up",
            ok=not failed,
            value=len(failed),
        )

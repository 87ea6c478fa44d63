"""What people ask for is answered, and what is queued is begun."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.error_recovery import Asked, CommandFacts
from tracker.store.health.facts import Facts
from tracker.store.health.ml import ModelFacts

from services.health_monitor.invariants.base import Invariant, Observation, Verdict

HOUR_SECONDS = 3600.0


class CommandsAnswered(Invariant):
    """What a person told an account to do, such as to halt, was done or refused within minutes."""

    name = "commands answered"
    group = "error recovery"
    severity = "critical"
    unit = "s"
    settings = ("command_limit_seconds",)
    advice = "paper_trader does them in event time: where it or the bars stand still, nothing is done; see its log"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict on the oldest of them."""
        facts = seen.of(CommandFacts)
        yield _waiting(facts, facts.command, seen.settings.command_limit_seconds)


class RequestsAnswered(Invariant):
    """What a person asked for of models was queued or refused."""

    name = "requests answered"
    group = "error recovery"
    severity = "warning"
    unit = "s"
    settings = ("request_limit_seconds",)
    advice = "ml_retrainer answers between two jobs: `tracker retrain status` says whether it works or is down"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict on the oldest of them."""
        facts = seen.of(CommandFacts)
        yield _waiting(facts, facts.request, seen.settings.request_limit_seconds)


class JobsBegin(Invariant):
    """No job that is due waits for hours to be begun."""

    name = "job queue moves"
    group = "error recovery"
    severity = "warning"
    unit = "h"
    settings = ("queue_limit_hours",)
    advice = "`tracker retrain status` shows the queue; ml_retrainer does one job at a time, and none while it is down"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return one verdict on the job that waits longest."""
        facts, limit = seen.of(ModelFacts), seen.settings.queue_limit_hours
        due = [each for each in facts.jobs.waiting if each.status == "queued"]
        waits = {f"{each.kind} of {each.strategy}": facts.age(each.due_at) or 0.0 for each in due}
        name = max(waits, key=lambda each: waits[each], default="")
        hours = max(waits.get(name, 0.0), 0.0) / HOUR_SECONDS
        yield Verdict(
            observed=f"{name} is due for {hours:.1f} h" if hours > 0 else "none is due",
            limit=f"{limit:g} h",
            ok=hours <= limit,
            value=hours,
        )


def _waiting(facts: Facts, asked: Asked | None, limit: float) -> Verdict:
    age = 0.0 if asked is None else facts.age(asked.requested_at) or 0.0
    words = "all answered" if asked is None else f"{asked.what} of {asked.subject} waits for {age:.0f} s"
    return Verdict(observed=words, limit=f"{limit:.0f} s", ok=age <= limit, value=age)

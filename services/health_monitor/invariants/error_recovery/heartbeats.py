"""Every service of the fleet lives."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.health.error_recovery import ServiceFacts
from tracker.store.heartbeats import Heartbeat

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


class HeartbeatFresh(Invariant):
    """Each expected service has beaten lately and reports no failure."""

    name = "heartbeat"
    group = "error recovery"
    severity = "critical"
    unit = "s"
    settings = ("services", "heartbeat_limit_seconds")
    advice = "look at its log and at its /health; `tracker up` starts what is not running"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each expected service."""
        facts = seen.of(ServiceFacts)
        for service in seen.settings.expected_services:
            yield _one(service, facts, seen.settings.heartbeat_limit_seconds)


def _one(service: str, facts: ServiceFacts, limit: float) -> Verdict:
    beats = [beat for beat in facts.heartbeats if beat.service == service]
    # A replica that has gone is no matter while another lives; one that lives must be well.
    alive = [beat for beat in beats if beat.status != "stopped" and (facts.age(beat.beat_at) or 0.0) <= limit]
    return Verdict(
        subject=service,
        observed="; ".join(_words(beat, facts) for beat in alive or beats) or "no heartbeat ever",
        limit=f"pass within {limit:.0f} s",
        ok=bool(alive) and all(beat.status in ("pass", "warn") for beat in alive),
        value=min((facts.age(beat.beat_at) or 0.0 for beat in beats), default=None),
        advice=f"look at the log of {service} and at its /health; `tracker up` starts what is not running",
    )


def _words(beat: Heartbeat, facts: ServiceFacts) -> str:
    role, problem = beat.detail.get("role"), beat.detail.get("problem")
    words = f"{beat.status}, {facts.age(beat.beat_at):.0f} s ago"
    return (f"{role}: " if role else "") + words + (f": {problem}" if problem else "")

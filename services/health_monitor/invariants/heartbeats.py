"""Every service of the fleet lives."""

from __future__ import annotations

from collections.abc import Iterable

from tracker.store.heartbeats import Heartbeat

from services.health_monitor.invariants.base import Invariant, Observation, Verdict


class HeartbeatFresh(Invariant):
    """Each expected service has beaten lately and reports no failure."""

    group = "services"
    severity = "critical"

    def judge(self, seen: Observation) -> Iterable[Verdict]:
        """Return a verdict for each expected service."""
        for service in seen.settings.expected_services:
            yield self._one(service, [beat for beat in seen.heartbeats if beat.service == service], seen)

    def _one(self, service: str, beats: list[Heartbeat], seen: Observation) -> Verdict:
        limit = seen.settings.heartbeat_limit_seconds
        # A replica that has gone is no matter while another lives; one that lives must be well.
        alive = [beat for beat in beats if beat.status != "stopped" and (seen.age(beat.beat_at) or 0.0) <= limit]
        return Verdict(
            name=f"heartbeat {service}",
            observed="; ".join(_words(beat, seen) for beat in alive or beats) or "no heartbeat ever",
            limit=f"pass within {limit:.0f} s",
            ok=bool(alive) and all(beat.status in ("pass", "warn") for beat in alive),
            advice=f"look at the log of {service} and at its /health; `tracker up` starts what is not running",
        )


def _words(beat: Heartbeat, seen: Observation) -> str:
    role, problem = beat.detail.get("role"), beat.detail.get("problem")
    words = f"{beat.status}, {seen.age(beat.beat_at):.0f} s ago"
    return (f"{role}: " if role else "") + words + (f": {problem}" if problem else "")

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
        beats = {beat.service: beat for beat in seen.heartbeats}
        for service in seen.settings.expected_services:
            yield self._one(service, beats.get(service), seen)

    def _one(self, service: str, beat: Heartbeat | None, seen: Observation) -> Verdict:
        limit = seen.settings.heartbeat_limit_seconds
        age = seen.age(beat.beat_at) if beat is not None else None
        fine = beat is not None and age is not None and age <= limit and beat.status in ("pass", "warn")
        status = "no heartbeat ever" if beat is None else f"{beat.status}, {age:.0f} s ago"
        problem = beat.detail.get("problem") if beat is not None else None
        return Verdict(
            name=f"heartbeat {service}",
            observed=f"{status}: {problem}" if problem else status,
            limit=f"pass within {limit:.0f} s",
            ok=fine,
            advice=f"look at the log of {service} and at its /health; `tracker up` starts what is not running",
        )

"""What Prometheus is told: every finding, and the figures of the fleet that they are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prometheus_client import Gauge
from tracker.store.health.data_pipeline import BarFacts
from tracker.store.health.error_recovery import ServiceFacts
from tracker.store.health.facts import Facts
from tracker.store.health.findings import Finding

from services.health_monitor.invariants.base import FactsUnreadError, Observation

OK = Gauge("tracker_invariant_ok", "1 while an invariant holds", ["name", "group", "severity"])
VALUE = Gauge("tracker_invariant_value", "What was observed, where it is a number", ["name", "group"])
FACTS_SECONDS = Gauge("tracker_facts_seconds", "How long reading a class of facts last took", ["facts"])
ALIVE = Gauge("tracker_service_instances", "Instances of a service by the status of their heartbeat",
              ["service", "status"])
BEAT_AGE = Gauge("tracker_service_heartbeat_age_seconds", "Since the last heartbeat of a service", ["service"])
MEMORY = Gauge("tracker_service_memory_bytes", "Resident memory of all instances of a service", ["service"])
SYMBOLS = Gauge("tracker_symbols", "Symbols by state", ["state"])
CLOSED_THROUGH = Gauge("tracker_closed_through_timestamp_seconds", "Up to where minutes are complete")


def show(findings: Sequence[Finding], seen: Observation, seconds: Mapping[type[Facts], float]) -> None:
    """Replace everything that was told before."""
    for gauge in (OK, VALUE, ALIVE, BEAT_AGE, MEMORY, SYMBOLS):
        gauge.clear()
    for finding in findings:
        OK.labels(finding.name, finding.group, finding.severity).set(finding.ok)
        if finding.value is not None:
            VALUE.labels(finding.name, finding.group).set(finding.value)
    for kind, took in seconds.items():
        FACTS_SECONDS.labels(kind.__name__).set(took)
    # Facts that could not be read are findings; their figures are left out until they are known again.
    try:
        _show_services(seen.of(ServiceFacts))
        _show_bars(seen.of(BarFacts))
    except FactsUnreadError:
        return


def _show_services(facts: ServiceFacts) -> None:
    for beat in facts.heartbeats:
        ALIVE.labels(beat.service, beat.status).inc()
        MEMORY.labels(beat.service).inc(0 if beat.status == "stopped" else beat.rss_bytes)
    for service in {beat.service for beat in facts.heartbeats}:
        last = max(beat.beat_at for beat in facts.heartbeats if beat.service == service)
        BEAT_AGE.labels(service).set(facts.age(last) or 0.0)


def _show_bars(facts: BarFacts) -> None:
    SYMBOLS.labels("active").set(facts.active_symbols)
    SYMBOLS.labels("live").set(facts.live_symbols)
    SYMBOLS.labels("unsupported").set(facts.unsupported_symbols)
    if facts.closed_through is not None:
        CLOSED_THROUGH.set(facts.closed_through.timestamp())

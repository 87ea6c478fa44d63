"""What fails is noticed, and comes back."""

from tracker.store.health.error_recovery import ServiceFacts, read_service_facts

from services.health_monitor.invariants.base import Group, source
from services.health_monitor.invariants.error_recovery.heartbeats import HeartbeatFresh

ERROR_RECOVERY = Group(
    name="error recovery",
    invariants=(HeartbeatFresh,),
    sources=(source(ServiceFacts, read_service_facts),),
)

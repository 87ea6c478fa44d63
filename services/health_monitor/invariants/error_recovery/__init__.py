"""What fails is noticed, and comes back."""

from tracker.store.health.error_recovery import (
    CommandFacts,
    LeaseFacts,
    MaintenanceFacts,
    MonitorFacts,
    ReportFacts,
    ServiceFacts,
    read_command_facts,
    read_lease_facts,
    read_maintenance_facts,
    read_monitor_facts,
    read_report_facts,
    read_service_facts,
)

from services.health_monitor.invariants.base import Group, remembering, source
from services.health_monitor.invariants.error_recovery.heartbeats import HeartbeatFresh
from services.health_monitor.invariants.error_recovery.maintenance import MaintenanceEnds, MaintenanceSucceeds
from services.health_monitor.invariants.error_recovery.requests import CommandsAnswered, JobsBegin, RequestsAnswered
from services.health_monitor.invariants.error_recovery.services import (
    LeasesLive,
    OneActs,
    RestartsFew,
    ServicesUntroubled,
)
from services.health_monitor.invariants.error_recovery.telling import LookQuick, OutboxDelivered, ReportsOnTime

SLOW = "slow_every_seconds"

ERROR_RECOVERY = Group(
    name="error recovery",
    invariants=(
        HeartbeatFresh, RestartsFew, OneActs, LeasesLive, ServicesUntroubled, MaintenanceSucceeds, MaintenanceEnds,
        CommandsAnswered, RequestsAnswered, JobsBegin, OutboxDelivered, ReportsOnTime, LookQuick,
    ),
    sources=(
        remembering(ServiceFacts, read_service_facts, ServiceFacts.after),
        source(LeaseFacts, read_lease_facts),
        source(CommandFacts, read_command_facts),
        source(MonitorFacts, read_monitor_facts),
        source(MaintenanceFacts, read_maintenance_facts, SLOW),
        source(ReportFacts, read_report_facts, SLOW),
    ),
)  # fmt: skip

"""Run the health monitor."""

from tracker.runtime.service import main

from services.health_monitor.service import HealthMonitor
from services.health_monitor.settings import MonitorSettings

if __name__ == "__main__":
    main(
        "health_monitor",
        MonitorSettings,
        lambda settings, database, clock, log: HealthMonitor(database, settings, clock, log),
        role="tracker_health_monitor",
    )

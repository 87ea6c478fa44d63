"""Run the dashboard."""

from tracker.runtime.service import main

from services.dashboard.service import Dashboard
from services.dashboard.settings import DashboardSettings

if __name__ == "__main__":
    main(
        "dashboard",
        DashboardSettings,
        lambda settings, database, clock, log: Dashboard(database, settings, clock, log),
        role="tracker_dashboard",
        websockets=True,
    )

"""Run the data scheduler."""

from tracker.runtime.service import main

from services.data_scheduler.service import build
from services.data_scheduler.settings import SchedulerSettings

if __name__ == "__main__":
    main("data_scheduler", SchedulerSettings, build, role="tracker_data_scheduler")

"""Run the reporter."""

from tracker.runtime.service import main

from services.slack_reporter.service import build
from services.slack_reporter.settings import ReporterSettings

if __name__ == "__main__":
    main("slack_reporter", ReporterSettings, build, role="tracker_slack_reporter")

"""Run the data collector."""

from tracker.runtime.service import main
from tracker.runtime.universe import load_universe

from services.data_collector.feeds.choice import feed_of
from services.data_collector.service import DataCollector
from services.data_collector.settings import CollectorSettings

if __name__ == "__main__":
    main(
        "data_collector",
        CollectorSettings,
        lambda settings, database, clock, log: DataCollector(
            database, feed_of(settings, clock, log), load_universe(settings.universe), settings, clock, log
        ),
        role="tracker_data_collector",
    )

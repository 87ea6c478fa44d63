"""Run one strategy's scanner: `python -m services.strategy_scanner --strategy dca`."""

import argparse

from tracker.domain.clock import Clock
from tracker.domain.signal import Strategy
from tracker.runtime.artifacts import configured_artifacts
from tracker.runtime.effective_strategy import LiveStrategy
from tracker.runtime.live_model import LiveModel, load_threshold
from tracker.runtime.logging import Logger
from tracker.runtime.service import main
from tracker.runtime.stored_registry import StoredRegistry
from tracker.runtime.strategies import load_rules
from tracker.store.database import Database

from services.strategy_scanner.service import StrategyScanner
from services.strategy_scanner.settings import ScannerSettings


def scan_with(strategy: Strategy) -> None:
    """Run the scanner of one strategy until it is told to stop."""

    def build(settings: ScannerSettings, database: Database, clock: Clock, log: Logger) -> StrategyScanner:
        live = LiveStrategy(settings.config_dir, strategy, load_rules(settings.strategies_dir))
        registry = StoredRegistry(configured_artifacts())
        model = LiveModel(strategy, load_threshold(settings.config_dir), registry)
        return StrategyScanner(database, live.current.config, settings, log, live, model)

    main(f"strategy_scanner_{strategy}", ScannerSettings, build, role="tracker_strategy_scanner")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="scan every bar close with one strategy")
    parser.add_argument("--strategy", type=Strategy, required=True)
    scan_with(parser.parse_args().strategy)

"""Run one strategy's scanner: `python -m services.strategy_scanner --strategy dca`."""

import argparse

from tracker.domain.signal import Strategy
from tracker.runtime.service import main
from tracker.runtime.strategies import load_strategy

from services.strategy_scanner.service import StrategyScanner
from services.strategy_scanner.settings import ScannerSettings

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="scan every bar close with one strategy")
    parser.add_argument("--strategy", type=Strategy, choices=list(Strategy), required=True)
    strategy: Strategy = parser.parse_args().strategy
    main(
        f"strategy_scanner_{strategy}",
        ScannerSettings,
        lambda settings, database, clock, log: StrategyScanner(
            database, load_strategy(settings.config_dir, strategy), settings, log
        ),
        role="tracker_strategy_scanner",
    )

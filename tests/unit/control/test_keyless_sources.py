"""Exchanges without a key: nothing but the source is told, and no market of our own is started."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracker.runtime.settings import PROJECT_ROOT
from tracker.runtime.universe import load_universe

from services.control.settings import ControlSettings
from services.control.source import SIMULATOR, Source, source_environment
from services.control.up import plan_run


@pytest.mark.parametrize("source", [Source.COINBASE, Source.KRAKEN])
def test_an_exchange_needs_neither_key_nor_simulator(source: Source, tmp_path: Path) -> None:
    assert source_environment(source, 8801, None, "6h", "", tmp_path / "universe.toml") == {"TRACKER_SOURCE": source}
    run = plan_run(ControlSettings(TRACKER_STATE_DIR=tmp_path, POLYGON_API_KEY=""), source, (), None, "6h")
    started = [each.name for each in run.services]
    assert SIMULATOR not in started
    assert "data_collector" in started
    assert run.environment["TRACKER_SOURCE"] == source


@pytest.mark.parametrize("source", list(Source))
def test_only_invented_and_replayed_markets_are_our_own(source: Source) -> None:
    assert source.needs_simulator is (source in (Source.SIMULATED, Source.REPLAY))


def test_every_symbol_has_a_name_at_every_exchange() -> None:
    """Whether it is traded there is the exchange's to say: what it does not list is unsupported."""
    for each in load_universe(PROJECT_ROOT / "configs" / "universe.toml").symbol:
        assert (each.coinbase, each.kraken) == (each.symbol, each.symbol.replace("-", "/"))

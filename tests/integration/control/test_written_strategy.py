"""The strategy of docs/write-a-strategy.md from the command line: backtested, looked through, and given a scanner."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from pydantic import SecretStr
from rich.console import Console
from tracker.domain.errors import ConfigError
from tracker.domain.signal import Strategy
from tracker.runtime.settings import environment
from tracker.testing.made_up_candles import write_candles
from tracker.testing.written_strategy import blocks, write_strategy

from services.control.backtest import BacktestRequest, backtest
from services.control.config_check import check_configs
from services.control.fleet import load_fleet
from services.control.settings import ControlSettings
from services.control.sweep import SweepRequest, sweep


def test_tracker_backtests_it(shared_candles: Path, database_url: str, tmp_path: Path) -> None:
    configs, folder = write_strategy(tmp_path)
    own = {
        "DATABASE_URL": database_url, "TRACKER_CONFIG_DIR": str(configs), "TRACKER_STRATEGIES_DIR": str(folder),
        "TRACKER_STATE_DIR": str(tmp_path / "state"),
    }  # fmt: skip
    candles = str(shared_candles / "BTC-PERP_1m_2022-01.csv")
    arguments = ["backtest", "--strategy", "ema_cross", "--candles", candles]
    command = [sys.executable, "-m", "services.control", *arguments]
    done = subprocess.run(
        [*command, "--json"], env=environment() | own, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    report = orjson.loads(done.stdout)
    assert report["strategy"] == "ema_cross"
    assert report["params"]["fast"] == 12
    assert report["signals"] > 10
    assert 10 < len(report["trades"]) <= report["signals"]
    assert {each["name"] for each in report["per_exit_reason"]} <= {"stop", "target", "timeout"}

    folder.joinpath("ema_cross.py").write_text("RULE = None\n")
    refused = subprocess.run(command, env=environment() | own, capture_output=True, text=True, check=False, timeout=100)
    assert refused.returncode == 2
    assert refused.stderr == f"tracker: {folder / 'ema_cross.py'}: there is no RULE in it\n"


def test_a_sweep_tries_what_a_backtest_would(database_url: str, tmp_path: Path) -> None:
    """Its indicators change with what is tried."""
    configs, folder = write_strategy(tmp_path)
    settings = ControlSettings(
        DATABASE_URL=SecretStr(database_url), TRACKER_STATE_DIR=tmp_path, TRACKER_CONFIG_DIR=configs,
        TRACKER_STRATEGIES_DIR=folder,
    )  # fmt: skip
    candles = tmp_path / "candles"
    candles.mkdir()
    for number, symbol in enumerate(("ADA-USD", "BTC-USD")):
        write_candles(candles / f"{symbol}_5m.csv", seed=number)
    base = BacktestRequest(
        strategy=Strategy("ema_cross"), first=None, end=None, symbols=(), params={}, candles=str(candles)
    )
    asked = SweepRequest(
        backtest=base, grid="fast=6|12,slow=24|48", random=0, vary=(), seed=1, folds=4, jobs=2, dask=None
    )
    done = sweep(settings, asked, Console(quiet=True))
    trades = [each.trades for each in done.outcomes]
    assert len(set(trades)) == 4
    for number in (0, 3):
        tried = replace(base, params=dict(done.points[number].changes))
        alone = backtest(settings, tried, Console(quiet=True))
        assert trades[number] == len(alone.result.traded.trades) > 10
        assert done.outcomes[number].total_return == pytest.approx(alone.summary.figures.total_return, rel=1e-12)


def test_it_looks_at_the_market_once_it_has_a_row(tmp_path: Path) -> None:
    configs, folder = write_strategy(tmp_path)
    (sentence,) = check_configs(configs, folder)
    assert sentence.startswith("ema_cross can be backtested, but has no scanner")
    fleet = configs / "fleet.toml"
    fleet.write_text(f"{fleet.read_text()}\n{blocks()['configs/fleet.toml']}")
    with pytest.raises(ConfigError, match="connection_budget"):
        load_fleet(fleet)
    budget = load_fleet().connection_budget
    fleet.write_text(fleet.read_text().replace(f"connection_budget = {budget}", f"connection_budget = {budget + 3}"))
    assert "strategy_scanner_ema_cross" in load_fleet(fleet).names
    assert check_configs(configs, folder) == []

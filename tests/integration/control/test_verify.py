"""`tracker verify lookahead` and `warmup`, on made bars and on real ones."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from planted import leaking_features
from rich.console import Console
from tracker.domain.errors import InputError
from tracker.quant.features import FEATURE_SET
from tracker.quant.strategies import RULES
from tracker.runtime.settings import environment, load_settings
from tracker.testing.candle_files import cut_candles

from services.control.settings import ControlSettings
from services.control.verify_lookahead import hunt
from services.control.verify_view import lookahead_view


def tracker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.control", "verify", *arguments],
        env=environment(), capture_output=True, text=True, check=False, timeout=100,
    )


@pytest.fixture
def candles(shared_candles: Path, tmp_path: Path) -> Path:
    """A week of real minutes beside bars too long to decide on."""
    cut_candles(shared_candles / "BTC-PERP_1m_2022-01.csv", tmp_path / "BTC-PERP_1m_week.csv", skip=0, rows=10_080)
    (tmp_path / "BTC-USDT_1d_some.csv").write_text("ts,open,high,low,close,volume\n2022-01-01T00:00:00Z,1,1,1,1,1\n")
    return tmp_path


def test_nothing_of_ours_sees_the_future(candles: Path) -> None:
    done = tracker("lookahead", "--cuts", "2", "--candles", str(candles), "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    report = orjson.loads(done.stdout)
    assert (report["ok"], report["leaks"], report["never_known"]) == (True, [], [])
    made, real = report["sources"]
    assert made["source"] == "synthetic"
    assert real["symbols"] == ["BTC-PERP"]
    assert real["bars"] == 672
    for source in (made, real):
        subjects = {each["subject"] for each in source["findings"]}
        assert subjects == {"features", *(str(each) for each in RULES)}
        tested = [each["column"] for each in source["findings"] if each["subject"] == "features"]
        assert tuple(tested) == FEATURE_SET.names


def test_a_feature_that_leaks_is_named_with_the_strategies_on_it() -> None:
    settings, console = load_settings(ControlSettings), Console(stderr=True, quiet=True)
    report = hunt(settings, None, 1, 3, console, leaking_features("h1_rsi_14", "unclosed_hour"))
    assert report["ok"] is False
    assert report["leaks"][0] == "h1_rsi_14"
    # Only the rule of DCA reads it.
    assert {name.partition(".")[0] for name in report["leaks"][1:]} <= {"dca"}
    told = io.StringIO()
    Console(width=300, file=told).print(lookahead_view(report))
    text = told.getvalue()
    assert "sees the future: h1_rsi_14" in text
    assert "h1_rsi_14" in next(line for line in text.splitlines() if "leaks" in line)


def test_warm_ups_are_told_for_every_feature_and_strategy() -> None:
    done = tracker("warmup", "--json")
    assert done.returncode == 0, done.stderr
    report = orjson.loads(done.stdout)
    features = {each["feature"]: each for each in report["sources"][0]["features"]}
    assert tuple(features) == FEATURE_SET.names
    assert features["drawdown_96"]["needed"] == features["drawdown_96"]["declared"] == 95
    assert features["ema_21_distance"]["deviation"] > 1e-3
    assert all(each["needed"] is not None for each in features.values())
    assert {each["strategy"] for each in report["decisions"]} == {str(each) for each in RULES}


@pytest.mark.parametrize(
    ("name", "row", "told"),
    [
        ("X-USD_1d_a.csv", "2022-01-01T00:00:00Z,1,1,1,1,1\n", "no bars of 15m or shorter"),
        ("X-USD_1m_a.csv", "2022-01-01T00:00:00Z,1,1,1,-1,1\n", "X-USD: close[0] is -1.0"),
        ("X-USD_1m_a.csv", "", "holds no bars"),
    ],
)
def test_candles_that_cannot_be_tested_on_are_one_sentence(tmp_path: Path, name: str, row: str, told: str) -> None:
    (tmp_path / name).write_text(f"ts,open,high,low,close,volume\n{row}")
    done = tracker("lookahead", "--cuts", "1", "--candles", str(tmp_path))
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        hunt(load_settings(ControlSettings), tmp_path / "none", 1, 0, Console(stderr=True, quiet=True))

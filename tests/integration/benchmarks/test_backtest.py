"""The comparison with other backtesters runs, and prints no time where trades differ for no known reason."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tracker.domain.errors import InputError
from tracker.domain.timeframe import Timeframe
from tracker.runtime.settings import PROJECT_ROOT
from tracker.testing.ema_cross import EmaCrossParams

from benchmarks import backtest as benchmark
from benchmarks.peers.series import series_of

backtesting_py = pytest.importorskip("benchmarks.peers.backtesting_py", reason="backtesting.py is not installed")


def test_a_small_comparison_prints_its_rows() -> None:
    size = ("--symbols", "2", "--days", "6", "--runs", "1", "--peer-runs", "1")
    done = subprocess.run(
        [sys.executable, "benchmarks/backtest.py", *size, "--peers", "backtesting", "--json"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    rows = json.loads(done.stdout)["rows"]
    walked = [each for each in rows if each["bars"] == "2 x 6 days of 15m"]
    assert [(each["what"], each["who"].split()[0]) for each in walked[:4]] == [
        ("trading", "ours"),
        ("trading", "backtesting"),
        ("all", "ours"),
        ("all", "backtesting"),
    ]
    assert walked[0]["trades"] == walked[1]["same"] > 0
    assert walked[1]["ratio"] == walked[1]["seconds"] / walked[0]["seconds"]
    assert [each["what"] for each in walked[4:]] == ["swing, all", "swing, 100 parameter sets, 2 processes"]


def test_trades_that_differ_for_no_known_reason_end_the_comparison() -> None:
    bars = benchmark.seeded(1, 20)
    [series] = series_of(["S000"], bars, Timeframe.M15, EmaCrossParams())
    [moved] = series_of(["S000"], bars, Timeframe.M15, EmaCrossParams(target_atr=3.1))

    class Astray:
        """A peer that trades other targets than it was told."""

        NAME, CAUSES, RTOL = "astray", backtesting_py.CAUSES, 1e-12
        version = staticmethod(backtesting_py.version)

        @staticmethod
        def run(given: object, params: EmaCrossParams, own_indicators: bool) -> object:
            return backtesting_py.run([moved], params, own_indicators)

    with pytest.raises(InputError, match="differ from astray's without a known reason"):
        benchmark.measure("one", [series], [Astray], 1, 1)


def test_a_peer_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    found = benchmark.peers_at_hand(["freqtrade", "backtesting"], lambda name: name == "backtesting")
    assert found == [backtesting_py]
    assert capsys.readouterr().err == (
        "freqtrade is not installed and left out: `make bench-peers` installs it in .venv-peers.\n"
    )

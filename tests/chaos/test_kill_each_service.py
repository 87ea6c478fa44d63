"""Killing any process of a replay changes nothing in its trades."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tracker.runtime.settings import environment
from tracker.testing.candle_files import cut_candles

TRACKER = Path(sys.executable).parent / "tracker"
VICTIMS = (
    "services.market_simulator",
    "services.data_collector",
    "services.feature_calculator",
    "--strategy dca",
    "--strategy swing",
    "--strategy channel",
    "services.paper_trader",
    "services.health_monitor",
)


def start(cut: Path, state: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(TRACKER), "replay", "--candles", str(cut), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**environment(), "TRACKER_STATE_DIR": str(state), "DATABASE_URL": ""},
    )


def finish(process: subprocess.Popen[str]) -> dict[str, object]:
    out, err = process.communicate(timeout=280)
    assert process.returncode == 0, err
    return json.loads(out)


def find(words: str, state: Path) -> psutil.Process | None:
    """Return the process of the replay under `state` whose command line holds `words`."""
    for process in psutil.process_iter():
        try:
            mine = process.environ().get("TRACKER_STATE_DIR", "").startswith(str(state))
            if mine and words in " ".join(process.cmdline()):
                return process
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return None


def kill(words: str, state: Path) -> bool:
    """Kill the process once it has had a moment to work; tell whether it was there."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        victim = find(words, state)
        if victim is not None and time.time() - victim.create_time() > 1.0:
            victim.kill()
            return True
        time.sleep(0.1)
    return False


@pytest.mark.timeout(600)
def test_a_replay_with_every_service_killed_once_trades_like_an_undisturbed_one(
    shared_candles: Path, tmp_path: Path
) -> None:
    cut = cut_candles(
        shared_candles / "BTC-PERP_1m_2022-01.csv", tmp_path / "candles" / "BTC-PERP_1m_cut.csv", skip=0, rows=30_000
    )
    undisturbed = finish(start(cut, tmp_path / "calm"))
    process = start(cut, tmp_path / "chaos")
    killed = [words for words in VICTIMS if process.poll() is None and kill(words, tmp_path / "chaos")]
    disturbed = finish(process)
    assert len(killed) >= len(VICTIMS) - 1
    assert undisturbed["trades"]
    assert {**disturbed, "seconds": 0} == {**undisturbed, "seconds": 0}

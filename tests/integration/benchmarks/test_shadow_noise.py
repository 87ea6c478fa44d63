"""The gate takes nothing out of noise, and what was planted: a small cut of the measurement over many markets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.timeout(300)
def test_nothing_is_found_in_noise_and_what_was_planted_is() -> None:
    done = subprocess.run(
        [
            sys.executable, "benchmarks/shadow_noise.py", "--seeds", "1", "--free", "1", "--planted", "1",
            "--variations", "40", "--symbols", "6", "--json",
        ],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    markets: dict[str, Any] = {each["kind"]: each for each in json.loads(done.stdout)["markets"]}
    assert all(each["traded"] > 50 and each["trades"] > 1_000 for each in markets.values())
    assert markets["noise"]["passed"] == markets["noise, free"]["passed"] == 0
    assert markets["planted"]["passed"] > 0
    assert markets["planted"]["best"].startswith("swing ")

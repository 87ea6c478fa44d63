"""The measurement of stored market data runs, small, and says what it is asked to say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
ROWS = 200_000
MEASURED = {
    "latest bar, 90 symbols": {"p50_ms", "p99_ms"},
    "the same, with a transaction of its own": {"p50_ms", "p99_ms"},
    "24 h of 1m, newest month": {"p50_ms", "p99_ms"},
    "last 300 bars x 90 symbols into NumPy": {"p50_ms", "p99_ms"},
    "100 concurrent 24 h reads": {"p50_ms", "p99_ms", "failures"},
    "a tick of 90 bars + latest_bar, durable": {"p50_ms", "p99_ms"},
    "backfill upsert, new bars": {"rows_per_second"},
    "backfill upsert, the same again": {"rows_per_second"},
}


def test_a_small_run_measures_everything_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    done = subprocess.run(
        [sys.executable, "benchmarks/market_data.py", "--rows", str(ROWS), "--dir", str(folder), "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert ROWS - 90 < document["rows"] <= ROWS
    assert {row["what"]: set(row["ours"]) for row in document["results"]} == MEASURED
    for row in document["results"]:
        assert all(value > 0 for name, value in row["ours"].items() if name != "failures"), row
        assert set(row["goal"]) <= set(row["ours"])
        assert (row["reached"] is None) == (not row["goal"])
        assert (row["ratio"] is None) == (row["peer"] is None)
    assert next(row for row in document["results"] if "failures" in row["ours"])["ours"]["failures"] == 0
    if document["peer"] is None:
        assert "requirements-bench.lock" in done.stderr
        assert not any(row["peer"] for row in document["results"])
    assert not folder.exists()

"""`tracker backfill`, `import` and `export` as a person types them, with nothing running."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from tracker.runtime.settings import environment


def tracker(state: Path, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {"TRACKER_STATE_DIR": str(state), "DATABASE_URL": url, "POLYGON_API_KEY": "", "TRACKER_SOURCE": ""}
    return subprocess.run(
        [sys.executable, "-m", "services.control", *arguments],
        env={**environment(), **variables}, capture_output=True, text=True, check=False, timeout=100,
    )


async def test_history_comes_from_a_simulator_of_its_own_and_goes_into_files_and_back(
    database_url: str, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    order = ("backfill", "--source", "simulated", "--days", "0.5", "--symbols", "BTC-USD,MOG-USD")
    done = tracker(state, database_url, *order, "--json")
    assert done.returncode == 0, done.stderr
    report = orjson.loads(done.stdout)
    assert (report["complete"], report["partial"], list(report["unsupported"])) == (["BTC-USD"], {}, ["MOG-USD"])
    assert report["new"] >= 700
    told = tracker(state, database_url, *order)
    assert told.returncode == 0
    assert "1 symbols complete" in told.stdout
    assert "MOG-USD: polygon does not list X:MOGUSD" in told.stdout
    out = tmp_path / "out"
    exported = tracker(
        state, database_url, "export", "--symbols", "BTC-USD", "--timeframe", "1m", "--from", "2020-01-01",
        "--to", "2099-01-01T00:00Z", "--format", "parquet", "--out", str(out), "--json",
    )
    assert exported.returncode == 0, exported.stderr
    [file] = orjson.loads(exported.stdout)["files"]
    imported = tracker(state, database_url, "import", file["file"], "--json")
    assert imported.returncode == 0, imported.stderr
    [again] = orjson.loads(imported.stdout)["files"]
    assert (again["rows"], again["unchanged"]) == (file["rows"], file["rows"])
    bad = tmp_path / "BTC-USD_1m.csv"
    bad.write_text("ts,open,high,low,close,volume\n2024-03-01T00:00:00Z,abc,2,0.5,1.5,1\n")
    refused = tracker(state, database_url, "import", str(bad))
    assert refused.returncode == 2
    assert f"{bad}: line 2: open = 'abc' is not a number" in refused.stdout
    other = tracker(state, database_url, "backfill", "--source", "coinbase", "--days", "1")
    assert (other.returncode, "holds bars of --source simulated" in other.stderr) == (2, True)


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["backfill", "--days", "0"], "--days: 0 is not above 0"),
    (["backfill", "--timeframes", "1m,7m"], "--timeframes: '7m' is not one of 1m, 5m, 15m, 1h, 1d"),
    (["backfill", "--timeframes", ","], "--timeframes: name at least one"),
    (["backfill", "--symbols", "BTCUSD"], "--symbols: 'BTCUSD' is not in universe.toml"),
    (["backfill", "--source", "replay"], "--source: replay has no history"),
    (["backfill", "--source", "polygon"], "POLYGON_API_KEY is missing"),
    (["import", "/nowhere"], "/nowhere does not exist"),
    (["import", "LICENSE"], "neither a .csv nor a .parquet file"),
    (["import", "x.csv", "--timeframe", "2h"], "--timeframe: '2h' is not one of"),
    (["export", "--symbols", ","], "--symbols: name at least one"),
    (["export", "--symbols", "BTC-USD", "--from", "soon"], "--from: 'soon' is not an ISO time"),
    (["export", "--symbols", "BTC-USD", "--from", "2024-01-02", "--to", "2024-01-01"], "is not before --to"),
    (["export", "--symbols", "BTC-USD", "--format", "xml"], "--format: 'xml' is not one of csv, parquet"),
])
def test_a_mistake_is_one_sentence(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    done = tracker(tmp_path / "state", "", *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "state" / "postgres").exists()

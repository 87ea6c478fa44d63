"""What cannot be done is one sentence on standard error and exit code 2."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tracker.domain.errors import ConfigError, InputError, PortInUseError
from tracker.runtime.settings import environment
from tracker.runtime.universe import load_universe

from services.control.ports import check_ports
from services.control.source import Source, choose_source, claim_database, source_environment


def tracker(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.control", *arguments],
        env={**environment(), **variables}, capture_output=True, text=True, check=False, timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["up", "--services", "nobody"], "there is no service 'nobody'"),
        (["up", "--source", "replay"], "--source replay needs --candles DIR"),
        (["up", "--source", "replay", "--candles", "/nowhere"], "/nowhere does not exist"),
        (["up", "--source", "polygon"], "POLYGON_API_KEY is missing"),
        (["up", "--bogus"], "No such option: --bogus"),
        (["psql"], "there is no database yet"),
        (["gaps"], "there is no database yet: `tracker up` makes one"),
        (["why", "BTC-USD"], "there is no database yet: `tracker up` makes one"),
        (["why", "BTC-USD", "--replay"], "there is no replay yet: `tracker replay` makes one"),
        (["why", "BTC-USD", "--strategy", "nope"], "there is no rule 'nope'; known are channel, dca, swing"),
        (["funnel"], "there is no database yet: `tracker up` makes one"),
        (["funnel", "--at", "noon"], "--at: 'noon' is not an ISO time"),
        (["gaps", "--state", "lost"], "--state: 'lost' is not one of open, confirmed_empty, healed, all"),
        (["gaps", "--from", "2026-01-02", "--to", "2026-01-01"], "is not before --to"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    done = tracker(
        *arguments, TRACKER_STATE_DIR=str(tmp_path / "state"), POLYGON_API_KEY="", DATABASE_URL=""
    )
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_cannot_be_reached_is_one_sentence(tmp_path: Path) -> None:
    url = "postgres://tracker:hidden@127.0.0.1:1/tracker?sslmode=disable"
    done = tracker("migrate", TRACKER_STATE_DIR=str(tmp_path), DATABASE_URL=url)
    assert done.returncode == 2
    assert "refused" in done.stderr
    assert "hidden" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_status_without_a_fleet_says_so(tmp_path: Path) -> None:
    done = tracker("status", TRACKER_STATE_DIR=str(tmp_path / "state"), DATABASE_URL="")
    assert done.returncode == 1
    assert "The fleet does not run." in done.stdout
    assert "the embedded database does not run" in done.stdout


def test_going_down_twice_is_fine(tmp_path: Path) -> None:
    for _ in range(2):
        done = tracker("down", TRACKER_STATE_DIR=str(tmp_path / "state"), DATABASE_URL="")
        assert (done.returncode, done.stdout) == (0, "The fleet does not run.\n")


def test_a_taken_port_is_named_with_its_service_and_holder() -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(PortInUseError, match=f"^paper_trader: port {port} on 127.0.0.1 is taken"):
            check_ports({"paper_trader": port}, "127.0.0.1")
    check_ports({"paper_trader": port}, "127.0.0.1")


def test_candles_mean_a_replay() -> None:
    assert choose_source(None, Path()) is Source.REPLAY
    assert choose_source(None, None) is Source.SIMULATED
    with pytest.raises(InputError, match="--candles goes with --source replay, not with polygon"):
        choose_source(Source.POLYGON, Path())


def test_the_simulated_market_never_sees_the_real_key(tmp_path: Path) -> None:
    found = source_environment(Source.SIMULATED, 8801, None, "6h", "a real key", tmp_path / "universe.toml")
    assert found["POLYGON_API_KEY"] == "simulated"
    assert found["POLYGON_WS_URL"] == "ws://127.0.0.1:8801/crypto"
    assert found["MARKET_SIMULATOR_CATCH_UP"] == "6h"


def test_a_replay_follows_the_symbols_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "BTC-PERP_1m.csv").write_text("ts,open,high,low,close,volume\n")
    universe = tmp_path / "universe.toml"
    found = source_environment(Source.REPLAY, 8801, tmp_path, "6h", "", universe)
    assert found["MARKET_SIMULATOR_CANDLES"] == str(tmp_path)
    assert found["TRACKER_UNIVERSE"] == str(universe)
    assert [each.symbol for each in load_universe(universe).symbol] == ["BTC-PERP"]


def test_a_database_keeps_its_source(tmp_path: Path) -> None:
    claim_database(tmp_path, {"DATABASE_URL": "one"}, Source.SIMULATED)
    claim_database(tmp_path, {"DATABASE_URL": "one"}, Source.SIMULATED)
    claim_database(tmp_path, {"DATABASE_URL": "two"}, Source.POLYGON)
    with pytest.raises(ConfigError, match="the database holds bars of --source simulated, not polygon"):
        claim_database(tmp_path, {"DATABASE_URL": "one"}, Source.POLYGON)

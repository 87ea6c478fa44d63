"""The process: its health, its options and how it fails to start."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tracker.runtime.settings import PROJECT_ROOT, environment

if TYPE_CHECKING:
    from tests.integration.market_simulator.conftest import Exchange, Start


def failed_start(*arguments: str, **variables: str) -> str:
    """Return what a start that must fail with exit code 2 says on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "services.market_simulator", *arguments], check=False,
        env=environment() | variables, capture_output=True, text=True, timeout=20,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    return done.stderr


def test_health_and_metrics_are_on_the_same_port(exchange: Exchange) -> None:
    assert exchange.get("/livez").json()["status"] == "pass"
    assert exchange.get("/readyz").status_code == 200
    health = exchange.get("/health").json()
    assert (health["status"], health["name"], health["counts"]["symbols"]) == ("pass", "market_simulator", 3)
    assert "market_simulator_requests_total" in exchange.get("/metrics").text


def test_it_stops_when_told_even_with_a_client(start: Start) -> None:
    exchange = start("--clock", "paced", "--symbols", "BTC-USD")
    client = exchange.client()
    assert exchange.clock(jump_to="2026-01-01T00:00:00Z")["now"] == "2026-01-01T00:00:00Z"
    assert exchange.stop() == 0
    client.socket.close()


def test_an_occupied_port_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert str(port) in failed_start(PORT=str(port), MARKET_SIMULATOR_SYMBOLS="BTC-USD")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--clock", "fast"], "'fast'"),
        (["--symbols", "BTC-USD,MOG-USD"], "'MOG-USD'"),
        (["--candles", "nowhere"], "nowhere does not exist"),
    ],
)
def test_options_that_make_no_sense_are_named(arguments: list[str], said: str) -> None:
    assert said in failed_start("--port", "0", *arguments)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "BTC-USD_1m.csv").write_text("ts,open,high,low,volume\n")
    said = failed_start("--candles", str(tmp_path), "--port", "0")
    assert "BTC-USD_1m.csv" in said
    assert "'close'" in said


def test_an_unknown_key_in_the_config_is_named(tmp_path: Path) -> None:
    for name in ("universe.toml", "market_simulator.toml"):
        shutil.copy(PROJECT_ROOT / "configs" / name, tmp_path)
    config = tmp_path / "market_simulator.toml"
    config.write_text("colour = 3\n" + config.read_text())
    said = failed_start("--port", "0", TRACKER_CONFIG_DIR=str(tmp_path))
    assert "unknown key colour" in said

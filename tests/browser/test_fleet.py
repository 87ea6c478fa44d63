"""The page of a fleet that runs: what the exchange invents is on it within moments."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tracker.runtime.settings import environment

TRACKER = Path(sys.executable).parent / "tracker"
SERVICES = ("market_simulator", "data_collector", "feature_calculator", "paper_trader", "dashboard")
UP_SECONDS = 100


def free_ports(count: int) -> list[int]:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [each.getsockname()[1] for each in servers]
    finally:
        for each in servers:
            each.close()


@pytest.fixture(scope="module")
def fleet_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of a small fleet with a state folder of its own."""
    if shutil.which("chromium") is None:
        pytest.skip("there is no chromium on this machine (.ci/run installs it)")
    ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
    told = {f"TRACKER_PORT_{name.upper()}": str(port) for name, port in ports.items()}
    told |= {"TRACKER_STATE_DIR": str(tmp_path_factory.mktemp("fleet")), "DATABASE_URL": ""}
    everything = {**environment(), **told}

    def tracker(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(TRACKER), *arguments], env=everything, text=True, capture_output=True, timeout=UP_SECONDS
        )

    try:
        started = tracker("up", "--detach", "--catch-up", "10m", "--services", ",".join(SERVICES))
        # On a busy machine a service may need longer than `tracker up` waits; the test waits for it on the page.
        told_all = started.stdout + started.stderr
        assert started.returncode == 0 or "goes on trying" in told_all, told_all
        yield f"http://127.0.0.1:{ports['dashboard']}"
    finally:
        tracker("down")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_page_of_a_running_fleet_comes_alive_by_itself(fleet_url: str, page: Any) -> None:
    # The first minute has to begin and to end.
    page.set_default_timeout(150_000)
    page.goto(fleet_url)
    assert "SIMULATED" in page.locator(".top .banner").first.inner_text()
    page.get_by_text("bars come").wait_for()
    page.get_by_text("services well").first.wait_for()
    page.goto(f"{fleet_url}/fleet")
    for name in SERVICES[1:]:
        page.get_by_role("cell", name=name, exact=True).first.wait_for()
    page.locator(".log td", has_text="the service runs").first.wait_for()
    page.goto("about:blank")

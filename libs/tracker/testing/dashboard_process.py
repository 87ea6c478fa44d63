"""The dashboard as a process of its own, for tests and measurements that want the real thing."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from tempfile import TemporaryFile

import httpx

from tracker.runtime.settings import PROJECT_ROOT, environment

START_SECONDS = 60.0
# What this machine happens to be told must not open a test's page, or close it.
OWN = ("DASHBOARD_", "SUPABASE_", "RAILWAY_")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningDashboard:
    """Where it answers, and its process."""

    url: str
    pid: int


@contextmanager
def running_dashboard(database_url: str, **variables: str) -> Iterator[RunningDashboard]:
    """Run the dashboard while the block runs; `variables` are more of its environment.

    Raises RuntimeError with its last words where it does not come up.
    """
    with TemporaryFile() as log:
        process, url = start_dashboard(database_url, log.fileno(), **variables)
        try:
            if not _is_up(process, f"{url}/readyz"):
                log.seek(0)
                raise RuntimeError(f"the dashboard did not come up: {log.read().decode()[-2000:]}")
            yield RunningDashboard(url=url, pid=process.pid)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()
            process.wait()


def start_dashboard(database_url: str, log: int, **variables: str) -> tuple[subprocess.Popen[bytes], str]:
    """Start the process on a free port, its words going to a file descriptor; return it and where it will answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    inherited = {name: value for name, value in environment().items() if not name.startswith(OWN)}
    told = {"HOST": "127.0.0.1", "TRACKER_SOURCE": "simulated", **variables}
    process = subprocess.Popen(
        [sys.executable, "-m", "services.dashboard"],
        cwd=PROJECT_ROOT,
        env={**inherited, **told, "DATABASE_URL": database_url, "PORT": str(port)},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    return process, f"http://127.0.0.1:{port}"


def _is_up(process: subprocess.Popen[bytes], url: str) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.HTTPError):
            # Before the pages are mounted there is no sign-in either.
            if httpx.get(url).is_success and httpx.get(url.replace("readyz", "signin")).is_success:
                return True
        time.sleep(0.1)
    return False

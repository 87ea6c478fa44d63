"""A real exchange process on a free port, and its clients as tests use them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

START = "2026-03-02T12:00:00Z"
SYMBOLS = "BTC-USD,ETH-USD,DOGE-USD"


@dataclass(frozen=True)
class Exchange:
    """A running exchange."""

    process: subprocess.Popen[str]
    port: int
    http: httpx.Client
    sockets: ExitStack = field(default_factory=ExitStack)

    def socket(self, path: str = "/crypto") -> ClientConnection:
        """Open a stream connection that is closed with the exchange."""
        return self.sockets.enter_context(connect(f"ws://127.0.0.1:{self.port}{path}"))

    def get(self, path: str, key: str | None = "key") -> httpx.Response:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return self.http.get(path, headers=headers)

    def bars(self, path: str) -> list[dict[str, Any]]:
        return self.get(path).json().get("results", [])

    def clock(self, **order: str) -> dict[str, Any]:
        response = self.http.post("/clock", json=order)
        response.raise_for_status()
        return response.json()

    def minute(self, number: int) -> str:
        """Return a minute of the present hour."""
        return f"{self.get('/clock').json()['now'][:14]}{number:02}:00Z"

    def fault(self, kind: str, **order: Any) -> dict[str, Any]:
        response = self.http.post("/faults", json={"kind": kind, **order})
        response.raise_for_status()
        return response.json()

    def client(self, key: str = "key", topics: str = "XA.*", path: str = "/crypto") -> Client:
        client = Client(self.socket(path))
        assert client.statuses() == ["connected"]
        client.send("auth", key)
        assert client.statuses() == ["auth_success"]
        if topics:
            client.send("subscribe", topics)
            assert client.statuses() == ["success"] * len(topics.split(","))
        return client

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=5)


@dataclass(frozen=True)
class Client:
    """A subscriber that reads frame by frame."""

    socket: ClientConnection

    def send(self, action: str, params: str) -> None:
        self.socket.send(json.dumps({"action": action, "params": params}))

    def frame(self, timeout: float = 3) -> list[dict[str, Any]]:
        return json.loads(self.socket.recv(timeout=timeout))

    def statuses(self) -> list[str]:
        return [message["status"] for message in self.frame()]

    def starts(self, count: int) -> list[int]:
        """Return the minute (of the hour) at which each of the next frames' bars start."""
        return [self.frame()[0]["s"] // 60_000 % 60 for _ in range(count)]

    def silent(self, seconds: float = 0.15) -> bool:
        try:
            self.socket.recv(timeout=seconds)
        except TimeoutError:
            return True
        return False

Start: TypeAlias = Callable[..., Exchange]


@pytest.fixture(scope="session")
def start() -> Iterator[Start]:
    started: list[Exchange] = []

    def launch(*arguments: str) -> Exchange:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.market_simulator", "--port", "0", *arguments],
            stdout=subprocess.PIPE, text=True,
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        port = json.loads(line)["port"]
        # Making a client costs 30 ms for certificates that plain HTTP never looks at.
        http = httpx.Client(base_url=f"http://127.0.0.1:{port}", verify=False, timeout=30)
        exchange = Exchange(process, port, http)
        started.append(exchange)
        return exchange

    yield launch
    for exchange in started:
        exchange.sockets.close()
        exchange.http.close()
        exchange.process.kill()
        exchange.process.wait(timeout=5)


@pytest.fixture(scope="session")
def shared(start: Start) -> Exchange:
    """A paced exchange with three symbols; tests move it on and leave no faults behind."""
    return start("--clock", "paced", "--start", START, "--symbols", SYMBOLS)


@pytest.fixture
def exchange(shared: Exchange) -> Iterator[Exchange]:
    """The shared exchange at the next full hour."""
    now = shared.get("/clock").json()["now"]
    hour = int(now[11:13]) + 1
    day, hour = int(now[8:10]) + hour // 24, hour % 24
    shared.clock(jump_to=f"2026-03-{day:02}T{hour:02}:00:00Z")
    yield shared
    assert shared.process.poll() is None, "the exchange died"
    shared.sockets.close()
    shared.http.delete("/faults")
